import { DATABASE_PLACES } from '../../src/core/places.ts'
import { RandomSource } from '../random-source.ts'
import {
  PROGRAM_CONVERSATIONS,
  PROGRAM_IDS,
  PROGRAM_RECORDS,
  STREAM_CONVERSATION,
  SEARCHED_WORD,
  type CallStep,
  type CutKind,
  type Program,
  type ProgramMessage,
  type ProgramStep,
} from './program.ts'

const STEPS_MIN = 8
const STEPS_MAX = 25
/** Steps of one round at most. */
const ROUND_MAX = 3
/** Longest pause of a program, beyond every delay after which a process looks again. Milliseconds. */
const WAIT_MS_MAX = 1_500
/** Of a value that expires while the program runs; and of one that the next sweep removes. Milliseconds. */
const LIFE_MS_MAX = 1_000
const LONG_AGO_MS = -3 * 3_600_000
const OUTAGE_MS_MAX = 400
const KILL_MS_MAX = 8

const CALLS = {
  save: 14,
  own: 26,
  group: 3,
  edit: 11,
  remove: 6,
  clear: 11,
  swap: 9,
  read: 16,
  pages: 4,
  search: 6,
  find: 5,
  count: 3,
  list: 2,
  create: 5,
  update: 5,
  delete: 3,
  record: 6,
  keep: 10,
  look: 8,
  sweep: 3,
  stream: 5,
  view: 5,
  follow: 4,
  fork: 6,
  branch: 6,
  truncate: 4,
  alternative: 4,
  upload: 5,
  download: 4,
  flush: 6,
  reopen: 5,
} as const
const FAULTS = { kill: 5, cut: 10, mend: 8, outage: 3, wait: 3 } as const
const NO_FAULTS = { kill: 0, cut: 0, mend: 0, outage: 0, wait: 0 } as const
const CUT_KINDS: readonly CutKind[] = ['refused', 'refused', 'refused', 'hung', 'reply-lost']

export interface GenerateOptions {
  /** Default: drawn, half of the seeds without any. */
  readonly faults?: 'none' | 'some'
}

/** The program of a seed. The same seed and options always make the same one. */
export function generateProgram(seed: number, options: GenerateOptions = {}): Program {
  const random = new RandomSource(seed, 'program')
  const drawn = random.chance(0.5)
  return new Generator(random, options.faults ?? (drawn ? 'some' : 'none')).program(seed)
}

class Generator {
  readonly #random: RandomSource
  readonly #weights: Readonly<Record<keyof typeof CALLS | keyof typeof FAULTS, number>>
  readonly #processes: number
  /** Of each conversation and id, what was saved under it. */
  readonly #saved = new Map<string, string[]>()
  /** Saves without an id. */
  readonly #made: { readonly conversation: string; readonly content: string }[] = []
  /** Messages that are written as streams. */
  readonly #streams: string[] = []
  /** Forks, and the names of contents. */
  readonly #forks: { readonly conversation: string; readonly fork: string }[] = []
  readonly #contents: string[] = []
  #labels = 0

  constructor(random: RandomSource, faults: 'none' | 'some') {
    this.#random = random
    this.#processes = random.pick([2, 3, 3])
    this.#weights = { ...CALLS, ...(faults === 'none' ? NO_FAULTS : FAULTS) }
  }

  program(seed: number): Program {
    const random = this.#random
    const store = {
      write: random.pick(['idempotent', 'idempotent', 'wal-first', 'dual-write'] as const),
      read: random.pick(['primary-first', 'primary-first', 'failover'] as const),
      health: random.pick(['circuit-breaker', 'circuit-breaker', 'simple'] as const),
    }
    const rounds: ProgramStep[][] = []
    const length = random.integer(STEPS_MIN, STEPS_MAX)
    let steps = 0
    // Stores that have measured nothing yet, and whose first call is a save.
    if (random.chance(0.3)) rounds.push(this.#race())
    while (steps < length) {
      const round = random.chance(0.05) ? this.#coldStart(rounds) : this.#round()
      rounds.push(round)
      steps += round.length
    }
    return { seed, processes: this.#processes, store, rounds }
  }

  #round(): ProgramStep[] {
    const random = this.#random
    const count = random.chance(0.7) ? 1 : random.integer(2, ROUND_MAX)
    const first = this.#step()
    // What happens at the same time is mostly about the same conversation.
    const isAbout = 'conversation' in first && first.act !== 'stream' && first.act !== 'view'
    const about = isAbout && random.chance(0.8) ? first.conversation : undefined
    const round = [first]
    for (let i = 1; i < count; i++) {
      const step = this.#step(about)
      if (!round.some((other) => endsSameLife(other, step))) round.push(step)
    }
    return round
  }

  #coldStart(rounds: ProgramStep[][]): ProgramStep[] {
    rounds.push([0, 1].map((process) => ({ act: 'reopen', process })))
    return this.#race()
  }

  /** Two processes save under one id at the same time, mostly different contents. */
  #race(): ProgramStep[] {
    const conversation = this.#random.pick(PROGRAM_CONVERSATIONS)
    const id = this.#random.pick(PROGRAM_IDS)
    return [0, 1].map((process) => ({
      act: 'save',
      process,
      conversation,
      messages: [this.#own(conversation, id)],
    }))
  }

  #step(about?: string): ProgramStep {
    const random = this.#random
    const process = random.integer(0, this.#processes - 1)
    const isRecord = about !== undefined && PROGRAM_RECORDS.includes(about)
    const conversation = isRecord ? 'a' : (about ?? random.pick(['a', 'a', 'a', 'b']))
    const at = { process, conversation }
    const act = random.weighted(this.#weights)
    switch (act) {
      case 'save':
        return { act, ...at, messages: [this.#plain(conversation)] }
      case 'own':
        return { act: 'save', ...at, messages: [this.#own(conversation)] }
      case 'group':
        return { act: 'save', ...at, messages: this.#group(conversation) }
      case 'swap':
        return { act, ...at, content: this.#label('s') }
      case 'edit':
        return { act, ...at, target: this.#target(conversation), content: this.#label('e') }
      case 'remove':
      case 'find':
        return { act, ...at, target: this.#target(conversation) }
      case 'pages':
        return { act, ...at, limit: random.integer(1, 4), forwards: random.chance(0.5) }
      case 'create':
        return { act, ...this.#ofRecord(process, about), title: this.#label('t') }
      case 'update': {
        const field = random.chance(0.5) ? 'title' : 'x'
        return { act, ...this.#ofRecord(process, about), [field]: this.#label('t') }
      }
      case 'delete':
      case 'record':
        return { act, ...this.#ofRecord(process, about) }
      case 'keep':
        return { act, ...at, content: this.#label('v'), ...this.#life() }
      case 'look':
        return { act, ...at, how: random.pick(['mget', 'entries'] as const) }
      case 'sweep':
      case 'search':
        return { act, ...at, limit: random.integer(1, 4) }
      case 'clear':
      case 'read':
      case 'count':
      case 'list':
      case 'follow':
        return { act, ...at } satisfies CallStep
      case 'stream':
        return this.#stream(process)
      case 'view': {
        const [first] = this.#streams
        if (first === undefined) return this.#stream(process)
        const id = random.pick([first, ...this.#streams])
        return { act, process, conversation: STREAM_CONVERSATION, id }
      }
      case 'fork':
        return this.#fork(at)
      case 'branch': {
        const [first] = this.#forks
        if (first === undefined) return this.#fork(at)
        return { act, process, ...random.pick([first, ...this.#forks]) }
      }
      case 'truncate':
        return { act, ...at, target: this.#target(conversation) }
      case 'alternative':
        return { act, ...at, target: this.#target(conversation), content: this.#label('a') }
      case 'upload':
        return this.#upload(at)
      case 'download': {
        const [first] = this.#contents
        if (first === undefined) return this.#upload(at)
        return { act, ...at, name: random.pick([first, ...this.#contents]) }
      }
      case 'flush':
      case 'reopen':
        return { act, process }
      case 'wait':
        return { act, ms: random.integer(100, WAIT_MS_MAX) }
      case 'kill':
        return { act, process, afterMs: random.integer(0, KILL_MS_MAX) }
      case 'mend':
        return { act, process, place: random.pick(DATABASE_PLACES) }
      case 'cut':
        return { act, process, place: random.pick(DATABASE_PLACES), how: random.pick(CUT_KINDS) }
      case 'outage': {
        const ms = random.integer(20, OUTAGE_MS_MAX)
        return { act, place: random.pick(DATABASE_PLACES), how: random.pick(CUT_KINDS), ms }
      }
    }
  }

  #fork(at: { process: number; conversation: string }): CallStep {
    const as = `fork ${this.#forks.length}`
    this.#forks.push({ conversation: at.conversation, fork: as })
    return { act: 'fork', ...at, target: this.#target(at.conversation), as }
  }

  /** New bytes, or some that were saved before. */
  #upload(at: { process: number; conversation: string }): CallStep {
    const known = this.#contents
    const isNew = known.length === 0 || this.#random.chance(0.7)
    const name = isNew ? `content ${known.length}` : this.#random.pick(known)
    if (isNew) known.push(name)
    return { act: 'upload', ...at, name, content: this.#label('c') }
  }

  #ofRecord(process: number, about: string | undefined): { process: number; conversation: string } {
    const isRecord = about !== undefined && PROGRAM_RECORDS.includes(about)
    return { process, conversation: isRecord ? about : this.#random.pick(['r', 'r', 's']) }
  }

  #stream(process: number): ProgramStep {
    const random = this.#random
    const id = this.#label('s')
    this.#streams.push(id)
    const parts = Array.from({ length: random.integer(1, 4) }, () => `${this.#label('d')} `)
    const end = random.pick(['finish', 'finish', 'abort', 'leave'] as const)
    return { act: 'stream', process, conversation: STREAM_CONVERSATION, id, parts, end }
  }

  #plain(conversation: string): ProgramMessage {
    const content = this.#label('m')
    this.#made.push({ conversation, content })
    return { content }
  }

  /** New content, or what was saved under the id before: a repeat, unless it was cleared since. */
  #own(conversation: string, id = this.#random.pick(PROGRAM_IDS)): ProgramMessage {
    const name = `${conversation} ${id}`
    const before = this.#saved.get(name) ?? []
    const content =
      before.length > 0 && this.#random.chance(0.5) ? this.#random.pick(before) : this.#label('m')
    this.#saved.set(name, [...before, content])
    return { content, id }
  }

  #group(conversation: string): ProgramMessage[] {
    const ids = PROGRAM_IDS.filter(() => this.#random.chance(0.5))
    if (this.#random.chance(0.5) || ids.length < 2) {
      return Array.from({ length: this.#random.integer(2, 3) }, () => this.#plain(conversation))
    }
    return ids.map((id) => this.#own(conversation, id))
  }

  #target(conversation: string): string {
    const made = this.#made.filter((message) => message.conversation === conversation)
    return made.length > 0 && this.#random.chance(0.3)
      ? `=${this.#random.pick(made).content}`
      : this.#random.pick(PROGRAM_IDS)
  }

  /** Half of the values stay. */
  #life(): { readonly lifeMs?: number } {
    const random = this.#random
    if (random.chance(0.5)) return {}
    return { lifeMs: random.chance(0.5) ? LONG_AGO_MS : random.integer(1, LIFE_MS_MAX) }
  }

  #label(letter: string): string {
    return `${SEARCHED_WORD} ${letter}${++this.#labels}`
  }
}

/** A process ends once at a time. */
function endsSameLife(one: ProgramStep, other: ProgramStep): boolean {
  const [first, second] = [one, other].map((step) =>
    step.act === 'kill' || step.act === 'reopen' ? step.process : undefined,
  )
  return first !== undefined && first === second
}

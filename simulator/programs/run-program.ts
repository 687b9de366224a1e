import type { DatabasePlace } from '../../src/core/places.ts'
import type {
  CallRecord,
  History,
  HistoryRecord,
  RecordCall,
  StreamRecord,
  StreamViewRecord,
  MirrorRecord,
} from '../../src/testing/history-checker/history.ts'
import type { CallResult, PerformedCall } from './perform-call.ts'
import {
  hasFaults,
  isFault,
  PROGRAM_CONVERSATIONS,
  PROGRAM_RECORDS,
  valueKey,
  STREAM_CONVERSATION,
  type CallStep,
  type FaultStep,
  type Program,
  type ProgramStep,
} from './program.ts'

/** What a program runs on: the simulation, or processes and databases of this machine. */
export interface Stage {
  /** Opens every process's store. */
  start(): Promise<void>
  /** Undefined when the process has no open store. */
  perform(process: number, step: CallStep): Promise<PerformedCall | undefined>
  flush(process: number): Promise<void>
  reopen(process: number): Promise<void>
  /** Ends a process at any instruction, and starts a fresh one. */
  kill(process: number, afterMs: number): Promise<void>
  fault(step: Exclude<FaultStep, { readonly act: 'kill' }>): Promise<void>
  wait(ms: number): Promise<void>
  /** Undoes all faults, waits until nothing is owed, and reconciles if it is told to. */
  settle(reconcile: boolean): Promise<void>
  /** What each database holds, as text that is equal if they are equal. */
  contents(): Promise<Readonly<Record<DatabasePlace, string>>>
  /** What should not have happened or should be empty, a line each. */
  readonly leftovers: readonly string[]
}

/** Runs every step on the stage and returns the history; the checker judges it. */
export async function runProgram(program: Program, stage: Stage): Promise<History> {
  return await new ProgramRun(program, stage).run()
}

/** Clocks, deadlines and logs of a stage are in its own options; a program knows its faults. */
class ProgramRun {
  readonly #program: Program
  readonly #stage: Stage
  readonly #records: HistoryRecord[] = []
  readonly #recordCalls: RecordCall[] = []
  readonly #streams: StreamRecord[] = []
  readonly #views: StreamViewRecord[] = []
  readonly #surprises: string[] = []
  /** Ids that the store made, by the content. */
  readonly #made = new Map<string, string>()
  /** Which life each process is in. */
  readonly #lives: number[]
  /** Processes that a fault has kept, at some time of this life, from something. */
  readonly #apart: boolean[]
  readonly #mirrors: MirrorRecord[] = []
  /** Of contents, by their names. */
  readonly #refs = new Map<string, string>()
  #groups = 0

  constructor(program: Program, stage: Stage) {
    this.#program = program
    this.#stage = stage
    this.#lives = Array.from({ length: program.processes }, () => 0)
    this.#apart = this.#lives.map(() => false)
  }

  async run(): Promise<History> {
    const { rounds, processes } = this.#program
    await this.#stage.start()
    for (const round of rounds) {
      for (const step of round) if (isFault(step)) this.#strikes(step)
      await Promise.all(round.map((step) => this.#take(step)))
    }
    await this.#stage.settle(hasFaults(this.#program))
    for (let process = 0; process < processes; process++) {
      for (const conversation of PROGRAM_CONVERSATIONS) {
        await this.#call({ act: 'read', process, conversation }, true)
        await this.#call({ act: 'swapped', process, conversation }, true)
        await this.#mirror(process, conversation)
      }
      for (const conversation of PROGRAM_RECORDS) {
        await this.#call({ act: 'record', process, conversation }, true)
      }
      await this.#call({ act: 'look', process, conversation: 'a', how: 'mget' }, true)
      for (const { id } of this.#streams) {
        await this.#call({ act: 'view', process, conversation: STREAM_CONVERSATION, id }, true)
      }
    }
    await this.#readBranches()
    await this.#readContents()
    return {
      records: this.#records,
      recordCalls: this.#recordCalls,
      streams: this.#streams,
      views: this.#views,
      mirrors: this.#mirrors,
      places: await this.#stage.contents(),
      leftovers: [...this.#stage.leftovers, ...this.#surprises],
    }
  }

  async #readBranches(): Promise<void> {
    const forks = this.#records.filter((record) => record.kind === 'fork')
    for (let process = 0; process < this.#program.processes; process++) {
      for (const { conversation, fork } of forks) {
        await this.#call({ act: 'branch', process, conversation, fork }, true)
      }
    }
  }

  /** As they stand, and again without those that no message refers to. */
  async #readContents(): Promise<void> {
    if (this.#refs.size === 0) return
    const readAll = async (isCleaned: boolean): Promise<void> => {
      for (let process = 0; process < this.#program.processes; process++) {
        for (const name of this.#refs.keys()) {
          const step = { act: 'download', process, conversation: 'a', name, isCleaned } as const
          await this.#call(step, true)
        }
      }
    }
    await readAll(false)
    await this.#call({ act: 'clean', process: 0, conversation: 'a' }, true)
    await this.#stage.settle(false)
    await readAll(true)
  }

  /** What is told to who follows, if somebody does. */
  async #mirror(process: number, conversation: string): Promise<void> {
    const step = { act: 'mirror', process, conversation } as const
    const performed = await this.#stage.perform(process, step)
    if (performed?.surprise !== undefined) this.#surprises.push(performed.surprise)
    const mirror = performed?.result?.mirror
    if (mirror === undefined) return
    this.#mirrors.push({ ...mirror, process: `p${process}`, conversation })
  }

  async #take(step: ProgramStep): Promise<void> {
    const stage = this.#stage
    switch (step.act) {
      case 'flush':
        return await stage.flush(step.process)
      case 'reopen':
        await stage.reopen(step.process)
        this.#lives[step.process]!++
        return
      case 'wait':
        return await stage.wait(step.ms)
      case 'kill':
        await stage.kill(step.process, step.afterMs)
        this.#lives[step.process]!++
        return
      case 'cut':
      case 'mend':
      case 'outage':
        return await stage.fault(step)
      default:
        return await this.#call(step, false)
    }
  }

  /** What is apart once may go on to believe so: circuits and lists of hints outlive their cause. */
  #strikes(step: FaultStep): void {
    if (step.act === 'cut') this.#apart[step.process] = true
    if (step.act === 'outage') this.#apart.fill(true)
  }

  async #call(given: CallStep, final: boolean): Promise<void> {
    const step = this.#resolve(given)
    if (step === undefined) return
    const { process } = step
    const life = this.#lives[process]!
    const performed = await this.#stage.perform(process, step)
    if (performed === undefined) return
    const { startMs, settledMs, outcome, code, withoutLog, apart = false, surprise } = performed
    if (apart) this.#apart[process] = true
    if (surprise !== undefined) this.#surprises.push(surprise)
    const base: CallRecord = {
      client: `p${process}`,
      process: `p${process}`,
      incarnation: life,
      conversation: step.conversation,
      startMs,
      outcome,
      together: !this.#apart[process]!,
      ...(settledMs === undefined ? { abandoned: true } : { settledMs }),
      ...(code !== undefined && { code }),
    }
    const late = withoutLog === true ? { withoutLog } : {}
    const mark = { ...late, final }
    const call = recordCallOf(step, performed, base, mark)
    if (call !== undefined) this.#recordCalls.push(call)
    else if (step.act === 'stream') this.#streams.push(streamOf(step, performed, base))
    else if (step.act === 'view') this.#views.push({ ...viewOf(step, performed, base), ...mark })
    else this.#records.push(...this.#recordsOf(step, performed, base, mark))
  }

  /** Undefined when the save that it is about has told nobody its id. */
  #resolve(step: CallStep): CallStep | undefined {
    if (step.act === 'download') {
      const ref = this.#refs.get(step.name)
      return ref === undefined ? undefined : { ...step, ref }
    }
    if (!('target' in step) || !step.target.startsWith('=')) return step
    const target = this.#made.get(step.target.slice(1))
    return target === undefined ? undefined : { ...step, target }
  }

  #recordsOf(
    step: Exclude<CallStep, { readonly act: 'stream' | 'view' }>,
    { result = {} }: PerformedCall,
    base: CallRecord,
    mark: { readonly final: boolean; readonly withoutLog?: boolean },
  ): HistoryRecord[] {
    const { receipts = [], copies, complete = false, messages = [] } = result
    const position = receipts[0]?.position
    const written = { ...base, ...(copies !== undefined && { copies }) }
    const placed = { ...written, ...(position !== undefined && { position }) }
    const read = { ...base, ...mark, complete }
    switch (step.act) {
      case 'save': {
        const group = step.messages.length > 1 ? { group: `g${this.#groups++}` } : {}
        return step.messages.map(({ id, content }, i) => {
          const receipt = receipts[i]
          if (receipt !== undefined && id === undefined) this.#made.set(content, receipt.id)
          const named = id === undefined ? {} : { id, callersId: true }
          const told = receipt && { id: receipt.id, position: receipt.position }
          return { kind: 'append', ...written, ...group, content, ...named, ...told }
        })
      }
      case 'edit':
        return [{ kind: 'edit', ...placed, id: step.target, content: step.content }]
      case 'remove':
        return [{ kind: 'remove', ...placed, id: step.target }]
      case 'clear':
        return [{ kind: 'clear', ...written }]
      case 'swap': {
        const { swapped } = result
        const expected = swapped === undefined ? {} : { expected: swapped }
        const isBlind = base.settledMs === undefined
        const swap = { content: step.content, ...expected, byPrimary: true, isBlind }
        return [{ kind: 'swap', ...written, ...swap }]
      }
      case 'swapped':
        return [{ kind: 'swapped', ...base, content: result.swapped, final: mark.final }]
      case 'read':
        return [{ kind: 'read', ...read, messages, paged: false }]
      case 'search':
      case 'pages':
        return [{ kind: 'read', ...read, messages, paged: (result.pages ?? 1) > 1 }]
      case 'find':
        return [{ kind: 'read', ...read, messages, paged: false, only: step.target }]
      case 'count':
        return [{ kind: 'count', ...read, count: result.count ?? 0 }]
      case 'fork': {
        const { shown = [], readMs = base.startMs } = result.before ?? {}
        return [{ kind: 'fork', ...written, fork: step.as, id: step.target, shown, readMs }]
      }
      case 'truncate': {
        const { before, isCertain = false } = result
        const seen = before?.seen ?? []
        return [{ kind: 'truncate', ...written, id: step.target, seen, isCertain }]
      }
      case 'alternative':
        return [{ kind: 'edit', ...placed, id: step.target, content: step.content }]
      case 'branch':
        return [{ kind: 'branch', ...read, fork: step.fork, messages }]
      case 'upload':
        return this.#uploadOf(step, result, base)
      case 'download': {
        const { found = 'other' } = result
        const { name, isCleaned = false } = step
        return [{ kind: 'download', ...read, name, found, isCleaned }]
      }
      case 'clean':
      case 'create':
      case 'update':
      case 'delete':
      case 'record':
        return []
      case 'keep': {
        const { content, lifeMs } = step
        const life = lifeMs === undefined ? {} : { expiresMs: base.startMs + lifeMs }
        return [
          { kind: 'set', ...written, ...life, content, conversation: valueKey(step.conversation) },
        ]
      }
      case 'look':
        return PROGRAM_CONVERSATIONS.map((name) => ({
          kind: 'get',
          ...read,
          conversation: valueKey(name),
          content: result.values?.[name],
        }))
      case 'sweep':
      case 'follow':
      case 'mirror':
        return []
      case 'list':
        return PROGRAM_CONVERSATIONS.map((conversation) => ({
          kind: 'list',
          ...read,
          conversation,
          isListed: result.conversations?.includes(conversation) ?? false,
        }))
    }
  }

  /** The content, and the message that refers to it. */
  #uploadOf(
    { name, content }: CallStep & { readonly act: 'upload' },
    { ref, uploadedMs, copies, receipts = [] }: CallResult,
    base: CallRecord,
  ): HistoryRecord[] {
    if (ref !== undefined) this.#refs.set(name, ref)
    const isUploaded = uploadedMs !== undefined
    const ends = isUploaded ? ({ outcome: 'ok', settledMs: uploadedMs } as const) : {}
    const places = isUploaded && copies !== undefined ? { copies } : {}
    const upload = { kind: 'upload', ...base, ...ends, ...places, name, usedBy: content } as const
    if (!isUploaded && base.settledMs !== undefined) return [upload]
    const [receipt] = receipts
    const told = receipt && { id: receipt.id, position: receipt.position, copies: receipt.copies }
    const append = { kind: 'append', ...base, content, ...told } as const
    if (base.code !== 'NOT_FOUND') return [upload, append]
    const mark = { complete: true, final: false, found: 'absent' } as const
    return [upload, { ...base, ...mark, kind: 'download', outcome: 'ok', name }]
  }
}

/** Of a call about a record; undefined for one about messages. */
function recordCallOf(
  step: CallStep,
  { result = {} }: PerformedCall,
  base: CallRecord,
  mark: { readonly final: boolean; readonly withoutLog?: boolean },
): RecordCall | undefined {
  const { copies, complete = false, record, isListed = false } = result
  const written = { ...base, ...(copies !== undefined && { copies }) }
  switch (step.act) {
    case 'create':
      return { kind: 'create', ...written, fields: { title: step.title } }
    case 'update': {
      const { title, x } = step
      return { kind: 'update', ...written, fields: x === undefined ? { title: title! } : { x } }
    }
    case 'delete':
      return { kind: 'delete', ...written }
    case 'record':
      return { kind: 'record', ...base, ...mark, complete, fields: record, isListed }
    default:
      return undefined
  }
}

function streamOf(
  { id, parts }: CallStep & { readonly act: 'stream' },
  { result }: PerformedCall,
  base: CallRecord,
): StreamRecord {
  // A process that ended has told nothing.
  const stream = result?.stream ?? { flushedMs: [], isStarted: true }
  return { kind: 'stream', ...base, id, parts, ...stream }
}

function viewOf(
  { id }: CallStep & { readonly act: 'view' },
  { result = {} }: PerformedCall,
  base: CallRecord,
): Omit<StreamViewRecord, 'final'> {
  return { kind: 'view', ...base, id, complete: result.complete ?? false, ...result.view }
}

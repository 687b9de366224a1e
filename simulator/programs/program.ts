import type { DatabasePlace } from '../../src/core/places.ts'

/** How a process is kept from a database; what a call that is under way then learns. */
export type CutKind = 'refused' | 'hung' | 'reply-lost'

/** One message of a save. Without an id the store makes one. */
export interface ProgramMessage {
  readonly content: string
  readonly id?: string
}

/** Where a step is taken. */
interface At {
  readonly process: number
  readonly conversation: string
}

/**
 * A call of the public API. A `target` is an id, or `=` and the content of a save without an id: the
 * message that this save made, if it did.
 */
export type CallStep = At &
  (
    | { readonly act: 'save'; readonly messages: readonly ProgramMessage[] }
    | { readonly act: 'edit'; readonly target: string; readonly content: string }
    | { readonly act: 'remove'; readonly target: string }
    | { readonly act: 'clear' }
    /** Reads the swapped value, and sets another one if that still stands; the primary alone judges. */
    | { readonly act: 'swap'; readonly content: string }
    | { readonly act: 'swapped' }
    | { readonly act: 'read' }
    | { readonly act: 'pages'; readonly limit: number; readonly forwards: boolean }
    /** For a word that every message has. */
    | { readonly act: 'search'; readonly limit: number }
    | { readonly act: 'find'; readonly target: string }
    | { readonly act: 'count' }
    | { readonly act: 'list' }
    | RecordStep
    /** Sets a value; with a life it expires so long after, or before, the call. Milliseconds. */
    | { readonly act: 'keep'; readonly content: string; readonly lifeMs?: number }
    /** Reads the values of all conversations in one call. */
    | { readonly act: 'look'; readonly how: 'mget' | 'entries' }
    /** Removes what has expired. */
    | { readonly act: 'sweep' }
    /** Writes a message as a stream, each part acknowledged before the next, and ends it or not. */
    | {
        readonly act: 'stream'
        readonly id: string
        readonly parts: readonly string[]
        readonly end: 'finish' | 'abort' | 'leave'
      }
    | { readonly act: 'view'; readonly id: string }
    | BranchStep
    | ContentStep
    /** A consumer begins to follow the conversation, or goes on with its last cursor. */
    | { readonly act: 'follow' }
    /** What that consumer shows at the end. */
    | { readonly act: 'mirror' }
  )

/** A call about branches of a conversation. */
export type BranchStep =
  /** Reads the conversation, and forks it behind a message. */
  | { readonly act: 'fork'; readonly target: string; readonly as: string }
  /** Reads a fork of the conversation. */
  | { readonly act: 'branch'; readonly fork: string }
  /** Reads the conversation, and removes a message and all behind it. */
  | { readonly act: 'truncate'; readonly target: string }
  /** Shows another answer in the place of a message. */
  | { readonly act: 'alternative'; readonly target: string; readonly content: string }

/** A call about content beside messages, whose bytes are made of its name. */
export type ContentStep =
  /** Saves it, and then a message that refers to it. */
  | { readonly act: 'upload'; readonly name: string; readonly content: string }
  /** Reads it; `ref` is known once somebody was told it. */
  | {
      readonly act: 'download'
      readonly name: string
      readonly ref?: string
      readonly isCleaned?: boolean
    }
  /** Removes what no message refers to, when nothing else happens. */
  | { readonly act: 'clean' }

/** A call about the record of a conversation that has no messages. */
export type RecordStep =
  | { readonly act: 'create'; readonly title: string }
  | { readonly act: 'update'; readonly title?: string; readonly x?: string }
  | { readonly act: 'delete' }
  | { readonly act: 'record' }

/** What happens to a process by itself or by its owner. */
export type LifeStep =
  | { readonly act: 'flush'; readonly process: number }
  /** The store is closed and a fresh one is opened. */
  | { readonly act: 'reopen'; readonly process: number }
  | { readonly act: 'wait'; readonly ms: number }

/** What breaks. */
export type FaultStep =
  /** After so many milliseconds of its round; a fresh process takes its place. */
  | { readonly act: 'kill'; readonly process: number; readonly afterMs: number }
  | {
      readonly act: 'cut'
      readonly process: number
      readonly place: DatabasePlace
      readonly how: CutKind
    }
  | { readonly act: 'mend'; readonly process: number; readonly place: DatabasePlace }
  /** No process reaches the database, for so long. */
  | {
      readonly act: 'outage'
      readonly place: DatabasePlace
      readonly how: CutKind
      readonly ms: number
    }

export type ProgramStep = CallStep | LifeStep | FaultStep

/** How the stores of all processes of a program are opened. */
export interface ProgramStore {
  readonly write: 'idempotent' | 'wal-first' | 'dual-write'
  readonly read: 'primary-first' | 'failover'
  readonly health: 'circuit-breaker' | 'simple'
}

/** Plain data: the same program runs on the simulation and on real engines. */
export interface Program {
  readonly seed: number
  readonly processes: number
  readonly store: ProgramStore
  /** One after another; the steps of one round are taken at the same time. */
  readonly rounds: readonly (readonly ProgramStep[])[]
}

const VALUES = 'value/'

/** The key of the value that goes with a conversation; it is cleared by nobody. */
export function valueKey(conversation: string): string {
  return VALUES + conversation
}

export const PROGRAM_CONVERSATIONS: readonly string[] = ['a', 'b']
/** Conversations that have a record, and never a message. */
export const PROGRAM_RECORDS: readonly string[] = ['r', 's']
/** Of its own: what other calls show of a conversation is traced back to saves. */
export const STREAM_CONVERSATION = 't'
/** Few, so that they come back. */
export const PROGRAM_IDS: readonly string[] = ['x', 'y', 'z']

/** Every message has it: a search for it in a conversation shows all that a read would. */
export const SEARCHED_WORD = 'said'

const FAULTS: ReadonlySet<ProgramStep['act']> = new Set(['kill', 'cut', 'outage'])

export function isFault(step: ProgramStep): step is FaultStep {
  return FAULTS.has(step.act)
}

export function hasFaults({ rounds }: Program): boolean {
  return rounds.some((round) => round.some(isFault))
}

/** For people: a line for each round. */
export function describeProgram({ seed, processes, store, rounds }: Program): string {
  const lines = rounds.map((round) => `    ${round.map(describeStep).join('  ||  ')}`)
  return [`  program ${seed}: ${processes} processes, ${JSON.stringify(store)}`, ...lines].join(
    '\n',
  )
}

function describeStep(step: ProgramStep): string {
  const { act, ...rest } = step
  const fields = Object.entries(rest).filter(([name]) => name !== 'process')
  const text = fields.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(' ')
  return `${'process' in step ? `p${step.process} ` : ''}${act} ${text}`.trim()
}

import type { Condition } from '../../core/conditions.ts'
import type { Operation } from '../../core/operation.ts'
import type { PlaceName } from '../../core/places.ts'
import type { StoreContext } from '../context.ts'

/** Operations that happen together or not at all. */
export interface WriteGroup {
  readonly operations: readonly Operation[]
  /** Appends carry ids of the caller's, which must be new. */
  readonly unique: boolean
  /** Set when some of the operations are repeats, which stand already. */
  readonly repeat?: Repeat
  /** It is merged and never judged, with stamps of before: a `delete` may leave newer things standing. */
  readonly mergeOnly?: boolean
  /** What must stand for the group to be written. */
  readonly guard?: Guard
}

/** Who decides a conditional group. */
export type Decider = 'anywhere' | 'primary'

/** The conditions of a group, and who judges them. One database does, before any other place has the group. */
export interface Guard {
  readonly conditions: readonly Condition[]
  /**
   * `primary`: nobody else; while it is out the group is `UNAVAILABLE`. `anywhere`: the backup, while the primary
   * is out, if `decideWithoutPrimary` lets it.
   */
  readonly decide: Decider
}

/** What a save repeats. Its stamps were given out before: a log does not ask whether they are fresh. */
export interface Repeat {
  /** Those that stand since an earlier call: one that was removed by then is `CONFLICT`. */
  readonly earlier: readonly Operation[]
  /** What the caller gave in their place: written when they are gone by then. */
  readonly given: readonly Operation[]
}

export interface WriteOutcome {
  /** As acknowledged: stamped again where needed; what stood already in place of a repeat. */
  readonly operations: readonly Operation[]
  readonly copies: readonly PlaceName[]
  /** True when one of the copies survives a crash of its process and machine. */
  readonly durable: boolean
}

/**
 * When a write is acknowledged. All strategies write the same operations; they differ in what they
 * send at once and in what they wait for.
 */
export interface WritePort {
  readonly name: string
  /** What it was made with; for people. */
  readonly config: object
  /** Only single values can be written: lists and groups are `UNSUPPORTED`. */
  readonly valuesOnly?: boolean
  /** True when the strategy keeps its promise only with a log. */
  readonly needsLog: boolean
  /** It heeds `guard`. Left out by one that does not: conditional groups are then `UNSUPPORTED`. */
  readonly judgesConditions?: boolean
  /**
   * @throws StorageError `CONFLICT`, `NOT_FOUND`, `OVERLOADED`, `TIMEOUT` or `UNAVAILABLE`, with its
   * effect.
   */
  write(context: StoreContext, group: WriteGroup): Promise<WriteOutcome>
}

export interface HedgeConfig {
  /** Default: true. */
  readonly enabled?: boolean
  /** Bounds of the adaptive delay. Milliseconds. Default: 25 and 1000. */
  readonly minMs?: number
  readonly maxMs?: number
  /** The delay as a multiple of the primary's recent p99. Default: 3. */
  readonly factor?: number
}

/** The same for every write strategy. */
export interface WriteConfig {
  /**
   * Ids of the caller's are checked by the store that serves the write. Without it a repeat with
   * the same id replaces nothing and is not reported: it is merged. Default: true.
   */
  readonly enableIdempotency?: boolean
  /**
   * What becomes of a save with an id of the caller's while the primary, which decides whether the id is
   * new, cannot be reached. True: the backup decides, with neither of them the own log; a process that
   * reaches the primary meanwhile may take the same id. False: such a save is `UNAVAILABLE`, and an id
   * is never taken twice, if all processes say so. Default: true.
   */
  readonly decideWithoutPrimary?: boolean
  /** Time of one attempt. Milliseconds. Default: 5000. */
  readonly timeout?: number
  /** Attempts after the first one, with the same stamps. Default: 2. */
  readonly maxRetries?: number
  /** Pause before the first retry; doubles. Milliseconds. Default: 50. */
  readonly retryDelay?: number
  readonly hedge?: HedgeConfig
  /** Durable places that must have a write before it is acknowledged. Default: 1. */
  readonly minCopies?: number
}

export interface ResolvedWriteConfig {
  readonly enableIdempotency: boolean
  readonly decideWithoutPrimary: boolean
  readonly timeoutMs: number
  readonly maxRetries: number
  readonly retryDelayMs: number
  readonly hedge: Required<HedgeConfig>
  readonly minCopies: number
}

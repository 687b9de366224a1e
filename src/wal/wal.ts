import type { ThroughOf } from '../core/erase.ts'
import type { Operation } from '../core/operation.ts'
import type { DatabasePlace } from '../core/places.ts'
import type { Stamp } from '../core/stamp.ts'

/** Most refused entries of a place that one list has; a shared log has so many of each partition. */
export const REFUSED_MAX = 1_000

/** Bytes of entries that one `read` gives out at most, unless a single one has more. */
export const READ_BYTES_MAX: number = 8 * 1024 * 1024

/** Log sequence number of an entry: 1, 2, 3, … within one log. */
export type Lsn = number

/** An atomic group of operations as the log keeps it. */
export interface WalEntry {
  readonly lsn: Lsn
  readonly operations: readonly Operation[]
}

/** How a group is appended to a log. */
export interface WalAppendOptions {
  /**
   * Places that the writer is sending the group to itself: `read` leaves the entry out for them
   * until it is acknowledged or released. Holds do not survive a restart.
   */
  readonly hold?: readonly DatabasePlace[]
  /**
   * The group may still be stamped again. A log that several processes share refuses it with
   * `BehindInLog` when a stamp is not greater than the last one of its key; a repeat of the very same
   * stamps is the same entry. A log of one process takes no notice.
   */
  readonly fresh?: boolean
}

/** What a log knows when it has been opened. */
export interface WalOpened {
  /**
   * Stamps up to this time may have been appended before. Unix milliseconds; 0 for a new log. The
   * log saves it ahead of the stamps it acknowledges, so a clock set back over a restart is noticed.
   */
  readonly ceilingMs: number
  /** Writer ids of earlier incarnations whose entries this log now has, oldest first. */
  readonly formerWriters: readonly string[]
  /** The greatest stamp among the entries. */
  readonly head?: Stamp
}

/** An entry that a place refused for good. */
export interface RefusedEntry {
  readonly place: DatabasePlace
  readonly reason: string
  /** The keys that it is about. */
  readonly keys: readonly string[]
}

/** What of a log one place lacks. */
export interface WalPlaceStats {
  /** Entries that the place still lacks, quarantined ones included. */
  readonly pendingEntries: number
  readonly quarantinedEntries: number
  /** Age of the oldest pending entry, or 0. Milliseconds. */
  readonly oldestPendingMs: number
  /** The contiguous cursor: everything up to it is acknowledged. */
  readonly cursor: Lsn
}

export interface WalStats {
  readonly type: string
  /** False when an acknowledged entry does not survive the process. */
  readonly durable: boolean
  /** Why it is or is not durable, and what is wrong with it now. */
  readonly reasons: readonly string[]
  /** `failed`: appends are refused until the log works again; reads go on. */
  readonly state: 'open' | 'failed' | 'closed'
  /** While it is `failed`: why, where the log can tell. */
  readonly lastError?: string
  /** Entries and bytes that are kept, pending or not. */
  readonly entries: number
  readonly bytes: number
  readonly pendingBytesMax: number
  /** Where the number of entries is limited too. */
  readonly pendingEntriesMax?: number
  /** Greatest LSN given out. */
  readonly head: Lsn
  readonly syncs: number
  readonly places: Readonly<Record<DatabasePlace, WalPlaceStats>>
}

/** What became of payloads that were to go. */
export interface WalErased {
  /** Payloads that were taken out. */
  readonly count: number
  /** Where some are still, and will go by themselves or by trying again. */
  readonly pending: readonly string[]
  /** What is out of the log's reach. */
  readonly remains: readonly string[]
}

/**
 * A write-ahead log with a cursor for each database place. Checked by `walConformance`.
 *
 * An entry goes only when both places have acknowledged it: never by age, count or size.
 */
export interface WAL {
  /** Recovers what is there. `writer` names this incarnation (`StampClock.writerId`). */
  open(writer: string): Promise<WalOpened>
  /**
   * Resolves when the group is durable. A rejection with effect `unknown` may still turn up after
   * a restart; with `none` it never will. `OVERLOADED` at `pendingBytesMax`, before any effect.
   */
  append(operations: readonly Operation[], options?: WalAppendOptions): Promise<Lsn>
  /** The place has these entries. Takes effect at once; it becomes durable later, in batches. */
  acknowledge(place: DatabasePlace, lsns: readonly Lsn[]): void
  /** Ends the hold of these entries, if any: `read` may give them out. */
  release(place: DatabasePlace, lsns: readonly Lsn[]): void
  /** True when a durable entry with an operation on this key is pending at the place. */
  hasPending(place: DatabasePlace, key: string): boolean
  /**
   * Operations on the key that the place lacks, in log order: a snapshot of the moment of the call.
   * Held and quarantined entries count; those not yet durable do not.
   */
  pending(place: DatabasePlace, key: string): Promise<readonly Operation[]>
  /**
   * Those of `pending` that are about these ids, and its deletes: what costs no more in a long outage.
   * Without this method they are sought in all that `pending` has.
   */
  pendingOf?(
    place: DatabasePlace,
    key: string,
    ids: ReadonlySet<string>,
  ): Promise<readonly Operation[]>
  /** Keys with pending operations at the place, in any order. */
  pendingKeys(place: DatabasePlace): Iterable<string>
  /**
   * The oldest entries that the place lacks, up to `READ_BYTES_MAX` and at least one; held and
   * quarantined ones are left out.
   */
  read(place: DatabasePlace, limit: number): Promise<readonly WalEntry[]>
  /** Entries that `read` could give out now. */
  readable(place: DatabasePlace): number
  /** The oldest entry that the place lacks: held ones count, quarantined ones do not. */
  oldest(place: DatabasePlace): Lsn | undefined
  /**
   * Sets an entry aside that the place refuses for good, durably and with the reason. It stays
   * pending for reads and does not hold up others.
   */
  quarantine(place: DatabasePlace, lsn: Lsn, reason: string): Promise<void>
  /**
   * Gives out once more what the place refused; refused again, it is set aside again. Resolves with how
   * many entries; in a shared log those of all processes. Left out by logs that cannot.
   *
   * @throws StorageError when a shared log cannot be reached; some may be given out then.
   */
  retryQuarantined?(place: DatabasePlace): Promise<number>
  /**
   * What the place refused: the oldest entries, `REFUSED_MAX` at most; in a shared log those of all
   * processes. Left out by logs that cannot tell.
   *
   * @throws StorageError when a shared log cannot be reached.
   */
  refused?(place: DatabasePlace): Promise<readonly RefusedEntry[]>
  /** Every entry still kept counts as pending at the place again: it lost its data. */
  resend(place: DatabasePlace): void
  /** True while an append would be refused with `OVERLOADED`. Costs nothing. */
  isFull(): boolean
  /**
   * Takes payloads out of entries, pending or not, and of dead letters: where they stood is a
   * `delete` up to the same stamp. Repeating it is harmless. Without this method payloads stay until
   * the log lets go of their entries.
   *
   * @throws StorageError; some may be gone then and some not.
   */
  erase?(throughOf: ThroughOf): Promise<WalErased>
  /** `WalOpened.formerWriters`, and those whose logs were taken over since. */
  formerWriters(): readonly string[]
  /** Runs when an entry becomes readable for a place. Replaces the previous listener. */
  onReadable(listener: (place: DatabasePlace) => void): void
  /**
   * Runs when entries are gone for good, with the places that lacked some: only a comparison of the
   * databases can bring those. Replaces the previous listener. Left out by logs that lose nothing.
   */
  onForgotten?(listener: (places: readonly DatabasePlace[]) => void): void
  stats(): WalStats
  /** Makes acknowledgements durable and lets go of the files. May be called again. */
  close(): Promise<void>
  /**
   * Present in a log that several processes share. `hasPending`, `pendingKeys`, `read` and `stats`
   * then know of the entries that this process appended or took over; `pending` has those of all
   * processes, as long as the log can be reached, and so does what is here.
   */
  readonly shared?: SharedWal
}

/** What only a log knows that several processes share. */
export interface SharedWal {
  /** Keys with pending operations at the place; this process's own when the log is out. */
  pendingKeys(place: DatabasePlace): Promise<Iterable<string>>
  /** The settings of the server may change while it is in use. */
  isDurable(): boolean
  /** Names the servers that keep the log: a copy in a database on the same server is the same copy. */
  serverIds(): readonly string[]
}

/** Of the operations of one key those that are about these ids, and deletes. */
export function ofIds(
  operations: readonly Operation[],
  ids: ReadonlySet<string>,
): readonly Operation[] {
  return operations.filter(
    (operation) =>
      operation.kind === 'delete' || (operation.kind === 'put' && ids.has(operation.id)),
  )
}

/** `WAL.pendingOf` of any log. */
export async function pendingOf(
  wal: WAL,
  place: DatabasePlace,
  key: string,
  ids: ReadonlySet<string>,
): Promise<readonly Operation[]> {
  return wal.pendingOf === undefined
    ? ofIds(await wal.pending(place, key), ids)
    : await wal.pendingOf(place, key, ids)
}

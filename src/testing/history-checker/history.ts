import type { StorageErrorCode } from '../../core/errors.ts'
import type { PlaceName } from '../../core/places.ts'
import type { Stamp } from '../../core/stamp.ts'

/** What every call of a history tells about itself. Times are of one clock, in milliseconds. */
export interface CallRecord {
  /** One sequential session. */
  readonly client: string
  readonly process: string
  /** Which life of the process served the call. */
  readonly incarnation: number
  readonly conversation: string
  readonly startMs: number
  /** When the caller was answered, by a result or an error; absent when it never was. */
  readonly settledMs?: number
  /** True when the process died during the call, so that nobody was left to be answered. */
  readonly abandoned?: boolean
  /**
   * `ok`: acknowledged. `none`: an error that promises no effect. `unknown`: anything else; it may
   * take effect at any later time.
   */
  readonly outcome: 'ok' | 'none' | 'unknown'
  /** Of the error. */
  readonly code?: StorageErrorCode
  /**
   * No fault has kept the process from either database since it was started: it can reach both, and what
   * is promised to such a process is promised to this call. Default: false.
   */
  readonly together?: boolean
}

/** Places of an acknowledged write, as its receipt names them. */
interface WriteRecord extends CallRecord {
  readonly copies?: readonly PlaceName[]
}

/** A save. Every try of a repeated save is a record of its own. */
export interface AppendRecord extends WriteRecord {
  readonly kind: 'append'
  /** Known when the caller chose it or the receipt told it. */
  readonly id?: string
  /** Different for every message and every edit: reads are traced back by it. */
  readonly content: string
  readonly position?: Stamp
  /**
   * The caller chose the id. Such a save may be repeated by the store itself through another place
   * that cannot see the first try: its message may move.
   */
  readonly callersId?: boolean
  /** Saved together with the others of this name: all or nothing. */
  readonly group?: string
}

/** A replacement of a message's content. */
export interface EditRecord extends WriteRecord {
  readonly kind: 'edit'
  readonly id: string
  readonly content: string
  /** Where the message stood that was edited. */
  readonly position?: Stamp
}

/** A removal of one message. */
export interface RemoveRecord extends WriteRecord {
  readonly kind: 'remove'
  readonly id: string
  /** Where the message stood that was removed. */
  readonly position?: Stamp
}

/** A cut: a message and all behind it are removed. */
export interface TruncateRecord extends WriteRecord {
  readonly kind: 'truncate'
  readonly id: string
  /** That message and those behind it, as the same process had read them just before. */
  readonly seen: readonly string[]
  /** Nothing was out of its sight: all of these are gone. Default: false. */
  readonly isCertain?: boolean
}

/** A fork, under a name that nobody has used before. */
export interface ForkRecord extends WriteRecord {
  readonly kind: 'fork'
  readonly fork: string
  /** The last message that it shares. */
  readonly id: string
  /** What the conversation showed up to that message, in a complete read of the same process; empty without one. */
  readonly shown: readonly ShownMessage[]
  /** When that read ended; it began with the call. */
  readonly readMs: number
}

/** A read of a fork of the conversation. */
export interface BranchRecord extends ReadMark {
  readonly kind: 'branch'
  readonly fork: string
  readonly messages: readonly ShownMessage[]
}

/** Content beside messages is saved: bytes that are made of the name. */
export interface UploadRecord extends WriteRecord {
  readonly kind: 'upload'
  readonly name: string
  /** The content of a message that refers to it, if one was saved. */
  readonly usedBy?: string
}

/** Such content is read. */
export interface DownloadRecord extends ReadMark {
  readonly kind: 'download'
  readonly name: string
  /** `absent`: the answer was that there is none, and not that it could not be looked for. */
  readonly found: 'whole' | 'absent' | 'other'
  /** What nothing referred to was removed before, and nothing was written since. */
  readonly isCleaned?: boolean
}

/** Sets the conversation's swapped value under a condition: that what was read before still stands. */
export interface SwapRecord extends WriteRecord {
  readonly kind: 'swap'
  /** Different for every call. */
  readonly content: string
  /** What was read, and must stand; absent: there was nothing, and there must be nothing. */
  readonly expected?: string
  /** The primary alone judges it. */
  readonly byPrimary: boolean
  /** Its process died with what it had read: it may have taken the place of anything. */
  readonly isBlind?: boolean
}

/** A read of the swapped value. */
export interface SwappedRecord extends CallRecord {
  readonly kind: 'swapped'
  readonly content: string | undefined
  /** After everything was healed and drained. */
  readonly final: boolean
}

/** Sets the register of the conversation's key. */
export interface SetRecord extends WriteRecord {
  readonly kind: 'set'
  /** Different for every call. */
  readonly content: string
  /** From when on it is gone. Default: it stays. */
  readonly expiresMs?: number
}

/** A clear of the whole conversation, its register included. */
export interface ClearRecord extends WriteRecord {
  readonly kind: 'clear'
}

/** What reads tell about themselves. */
interface ReadMark extends CallRecord {
  readonly complete: boolean
  /** After everything was healed and drained: every acknowledged write must be seen. */
  readonly final: boolean
  /** The process had not opened its log yet: what an earlier life left there may be missing. */
  readonly withoutLog?: boolean
}

/** A message as a read showed it. */
export interface ShownMessage {
  readonly id: string
  readonly content: string
  readonly position?: Stamp
}

/** A read of the whole conversation, oldest first. */
export interface ReadRecord extends ReadMark {
  readonly kind: 'read'
  readonly messages: readonly ShownMessage[]
  /** Read in several pages: what moves meanwhile may be missed or come twice. */
  readonly paged: boolean
  /** Nothing but the message with this id was asked for. */
  readonly only?: string
}

/** A read of the register. */
export interface GetRecord extends ReadMark {
  readonly kind: 'get'
  readonly content: string | undefined
}

/** How many messages there are. */
export interface CountRecord extends ReadMark {
  readonly kind: 'count'
  readonly count: number
}

/** Whether the conversation was in a list of those that have messages. */
export interface ListRecord extends ReadMark {
  readonly kind: 'list'
  readonly isListed: boolean
}

/** A change of a conversation's record. */
export interface RecordWrite extends WriteRecord {
  readonly kind: 'create' | 'update' | 'delete'
  /** What it sets; each value once in a history. */
  readonly fields?: Readonly<{ title?: string; x?: string }>
}

/** A look at a record, and at the list of its owner. */
export interface RecordRead extends ReadMark {
  readonly kind: 'record'
  /** Undefined: there was no record. */
  readonly fields: Readonly<{ title?: unknown; x?: unknown }> | undefined
  readonly isListed: boolean
}

/** A call about the record of a conversation. */
export type RecordCall = RecordWrite | RecordRead

export type MessageWrite = AppendRecord | EditRecord | RemoveRecord
export type Write =
  MessageWrite | SetRecord | ClearRecord | TruncateRecord | ForkRecord | UploadRecord
export type Read = ReadRecord | GetRecord | CountRecord | ListRecord | BranchRecord | DownloadRecord
/** One call, as its client knows it. */
export type HistoryRecord = Write | Read | SwapRecord | SwappedRecord

/** A message that was written as a stream, from its start to its end. */
export interface StreamRecord extends CallRecord {
  readonly kind: 'stream'
  readonly id: string
  /** What was appended, one after another. */
  readonly parts: readonly string[]
  /** When the start, and then each part, was acknowledged, as far as they were. */
  readonly flushedMs: readonly number[]
  /** Its start was acknowledged, or may have been. */
  readonly isStarted: boolean
  /** How it was ended, where that was acknowledged. */
  readonly ended?: string
}

/** A read of such a message. */
export interface StreamViewRecord extends ReadMark {
  readonly kind: 'view'
  readonly id: string
  /** Absent: it was not there. */
  readonly content?: string
  readonly status?: string
}

/** What the consumer of a conversation's changes shows when all is over. */
export interface MirroredConversation {
  /** By position. */
  readonly told: readonly ShownMessage[]
  /** The same as a complete read shows it. */
  readonly there: readonly ShownMessage[]
  /** What was told twice, although nothing was read again in between. */
  readonly doubled: readonly string[]
}

export interface MirrorRecord extends MirroredConversation {
  readonly process: string
  readonly conversation: string
}

/** What is judged: calls in any order, and what was found when all was over. */
export interface History {
  readonly records: readonly HistoryRecord[]
  /** Calls about records of conversations. Default: none. */
  readonly recordCalls?: readonly RecordCall[]
  /** Messages that were written as streams, and what was shown of them. Default: none. */
  readonly streams?: readonly StreamRecord[]
  readonly views?: readonly StreamViewRecord[]
  /** The databases after everything was drained, in any text that is equal if they are equal. */
  readonly places?: Readonly<Record<string, string>>
  readonly mirrors?: readonly MirrorRecord[]
  /** What should be empty at the end and is not, a line each. */
  readonly leftovers?: readonly string[]
}

/** What the system that made the history does not promise. */
export interface CheckOptions {
  /**
   * How much two clocks may differ: clears and appends of processes that could not reach a common
   * place are ordered by their clocks. Milliseconds.
   */
  readonly clockToleranceMs: number
  /** Longest that any call may take. Milliseconds. */
  readonly deadlineMs: number
  /** A place lost its disk: what had one copy only may be gone. */
  readonly lostDisk?: boolean
  /**
   * The log is on a server: a process that was started again knows what its earlier life wrote only
   * while it reaches that server, like any other process. Default: false, a log of its own.
   */
  readonly sharedLog?: boolean
  /**
   * That log loses nothing, and refuses what was stamped before something that it has: what only it
   * has taken needs no clock to stand after a clear. Default: false.
   */
  readonly sequencer?: boolean
  /**
   * Processes bring what the others have appended to that log while it is still being tried elsewhere.
   * Default: false.
   */
  readonly commonLog?: boolean
}

/** How a promise was broken; `check-history.ts` says what each one means. */
export type ViolationKind =
  | 'lost'
  | 'duplicate'
  | 'garbage'
  | 'order'
  | 'session-order'
  | 'moved'
  | 'zombie'
  | 'edit-lost'
  | 'unique'
  | 'not-free'
  | 'refused'
  | 'not-found'
  | 'count'
  | 'listed'
  | 'set-lost'
  | 'swap'
  | 'expired'
  | 'fork'
  | 'content'
  | 'receipt'
  | 'torn'
  | 'late'
  | 'record'
  | 'record-zombie'
  | 'field'
  | 'diverged'
  | 'untold'
  | 'retold'
  | 'leftover'

/** A contradiction between what was promised and what was seen. */
export interface Violation {
  readonly kind: ViolationKind
  readonly text: string
  /** The records that contradict each other. */
  readonly records: readonly (HistoryRecord | RecordCall | StreamRecord | StreamViewRecord)[]
}

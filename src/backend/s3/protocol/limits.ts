/** Objects of more bytes are sent in parts. */
export const DEFAULT_MULTIPART_BYTES: number = 8 * 1024 ** 2
/** The protocol's least size of a part that is not the last. */
export const MULTIPART_BYTES_MIN: number = 5 * 1024 ** 2
/** Parts of one object that are sent at once. */
export const PARTS_AT_ONCE = 3

/** Delays before a request is sent again. Milliseconds. */
export const RETRY_FIRST_MS = 50
export const RETRY_MS_MAX = 5_000

/** Most names of one list or one delete. */
export const NAMES_MAX = 1_000

/** What a version of a key holds in itself; beyond that its values move into segments. */
export const TAIL_BYTES_MAX: number = 64 * 1024
export const TAIL_OPERATIONS_MAX = 256
/** A segment is closed when it has so many bytes; a single value may be larger. */
export const SEGMENT_BYTES_MAX: number = 256 * 1024
/** A segment of fewer bytes is merged into a new one by the next compaction. */
export const SEGMENT_BYTES_MIN: number = 128 * 1024

/** Times a version is offered while other processes take its number. */
export const COMMITS_MAX = 30
/** Times a key is read again because what its version named was replaced meanwhile. */
export const REREADS_MAX = 5

/**
 * A superseded version keeps its name this long, by the server's clock. Within that time nobody can
 * take the number of a removed version for a free one: a version is only offered on top of one that
 * was seen at most `VIEW_AGE_MS_MAX` ago, and signed before that was checked; servers refuse
 * signatures that are older than 15 minutes.
 */
export const SUPERSEDED_MS_MIN: number = 60 * 60_000
export const VIEW_AGE_MS_MAX: number = 5 * 60_000

/** A group's journal of this age was left by a process that died: another one finishes it. */
export const JOURNAL_MS_MIN = 60_000

/** Keys that are read at once by a listing, a digest, a scan or a group. */
export const KEYS_AT_ONCE = 16

/** Bytes of operations that may wait or be under way; beyond that calls are refused. */
export const PENDING_BYTES_MAX: number = 64 * 1024 ** 2

/** Longest that `disconnect` waits for calls under way. Milliseconds. */
export const DRAIN_MS_MAX = 5_000

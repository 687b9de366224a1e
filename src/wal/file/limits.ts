const MIB = 1024 * 1024

/** A group takes no more appends beyond this; one large append is a group of its own. */
export const GROUP_BYTES: number = MIB
/** Most appends that share one sync. */
export const GROUP_APPENDS_MAX = 4096
/** Bytes of appends that may wait for the disk; beyond it `OVERLOADED`. */
export const WAITING_BYTES_MAX: number = 64 * MIB
/** The first segment of a log is small, so that opening is quick; each next one is four times that. */
export const FIRST_SEGMENT_BYTES: number = MIB
export const SEGMENT_GROWTH = 4
/** Zeros are written and synced in pieces of this size, so that other syncs need not wait long. */
export const ZEROS_BYTES: number = MIB
/** Most bytes that are read from a file at once, unless one frame is larger. */
export const READ_BYTES: number = MIB
/** Acknowledgements are saved at most this often. Milliseconds. */
export const META_INTERVAL_MS = 1_000
/** The ceiling is saved this far ahead, and again when less than half of it is left. */
export const CEILING_AHEAD_MS = 10_000
/**
 * A stamp that is further ahead of the clock raises no ceiling: it goes on from one that its key alone
 * had, and a ceiling would make later starts take all keys there. Milliseconds.
 */
export const CEILING_DRIFT_MS_MAX = 300_000
/** Ranges of acknowledged entries that are saved; what does not fit is sent again after a restart. */
export const META_RANGES_MAX = 10_000
/** Former writers that are remembered. */
export const FORMER_WRITERS_MAX = 100
/** An owner that the kernel does not tell about is dead after so much silence: three of the longest heartbeats. */
export const SILENCE_MS = 60_000
/** What the time between two looks at an owner counts at most: the longest heartbeat. */
export const LOOK_MS_MAX = 20_000
/** Retries after a failed segment. Milliseconds. */
export const RETRY_FIRST_MS = 100
export const RETRY_MAX_MS = 5_000
/** Longest reason of a dead letter. UTF-16 units. */
export const REASON_LENGTH_MAX = 1_000
/** Dead letters that were dealt with are cleared away beyond this many bytes. */
export const DEAD_BYTES_SLACK: number = MIB

import { MIB } from '../../core/limits.ts'
import { abortSignal, byDefault, ms, text } from '../../core/option-kinds.ts'
import type { OptionTable } from '../../core/options.ts'
import type { PlaceName } from '../../core/places.ts'
import { DAY_MS } from '../../core/time.ts'
import type { ContentRef } from './content-ref.ts'

/** Most bytes of one content. */
export const CONTENT_BYTES_MAX: number = 256 * MIB
const MEDIA_TYPE_BYTES_MAX = 256
const GRACE_MS = DAY_MS

/** What `saveContent` takes: bytes, or whatever gives them piece by piece, such as a stream. */
export type ContentData = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** How content is saved. */
export interface SaveContentOptions {
  /** Kept with it, at most 256 bytes. Of content that is there already the first one stands. */
  readonly mediaType?: string
  /** Ends the call between two pieces: it rejects with `TIMEOUT`, and nothing of it is to be seen. */
  readonly signal?: AbortSignal
}

/** Content that is stored. */
export interface SavedContent {
  /** For messages: as the value of any field of theirs. */
  readonly ref: ContentRef
  readonly size: number
  /** The places that had all of it when it was acknowledged. Every part of it is where a save would be. */
  readonly copies: readonly PlaceName[]
  readonly durable: boolean
  /** False when the same bytes were there already. */
  readonly isNew: boolean
}

/** Content that is read. */
export interface StoredContent {
  readonly ref: ContentRef
  readonly size: number
  readonly mediaType?: string
  /**
   * Its bytes, some at a time, read while they are taken. The end is reached only when they are what was
   * saved: otherwise it throws `CORRUPT`, or `UNAVAILABLE` while a place that may have them is away.
   */
  readonly stream: () => AsyncGenerator<Uint8Array, void, undefined>
  /** All of them. */
  readonly bytes: () => Promise<Uint8Array>
}

/** What `cleanContent` removes. */
export interface CleanContentOptions {
  /**
   * Content that was saved, or that a conversation began to refer to, less than this ago stays: its message
   * may be on its way. Milliseconds. Default: a day.
   */
  readonly graceMs?: number
  /** Ends the call between two conversations: it rejects with `TIMEOUT`. */
  readonly signal?: AbortSignal
}

/** What one pass of `cleanContent` did. */
export interface CleanContentReport {
  /** Contents that were looked at. */
  readonly contents: number
  readonly removed: number
  /** Uploads that never came to an end. */
  readonly unfinished: number
}

export const SAVE_CONTENT: OptionTable<SaveContentOptions> = {
  mediaType: text(MEDIA_TYPE_BYTES_MAX),
  signal: abortSignal(),
}

export const CLEAN_CONTENT: OptionTable<CleanContentOptions, 'graceMs'> = {
  graceMs: byDefault(GRACE_MS, ms(0, Number.MAX_SAFE_INTEGER)),
  signal: abortSignal(),
}

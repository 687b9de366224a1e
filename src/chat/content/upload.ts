import { createHash, type Hash } from 'node:crypto'
import { checkSignal } from '../../backend/check-signal.ts'
import { invalid, messageOf } from '../../core/errors.ts'
import { MIB } from '../../core/limits.ts'
import { showKind } from '../../core/show-value.ts'
import type { GroupChange } from '../../store/groups.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../../strategy/write/write-port.ts'
import { CONTENT_BYTES_MAX, type ContentData } from './content-options.ts'

/** Bytes of one chunk: as base64 a third more, and encrypted another third. */
export const CHUNK_BYTES: number = MIB
/** Chunks of one group: what is in memory beside the caller's, twice. */
const GROUP_CHUNKS = 4

/** What was uploaded. */
export interface Uploaded {
  readonly chunks: number
  readonly size: number
  readonly sha256: Buffer
  /** The places that have all of it, and whether one of them is durable. */
  readonly stored: Pick<WriteOutcome, 'copies' | 'durable'> | undefined
}

/** The id of a chunk. */
export function chunkId(index: number): string {
  return `${index}`.padStart(6, '0')
}

/** The pieces of what `saveContent` is given. @throws StorageError `INVALID_ARGUMENT` */
export function piecesOf(data: ContentData): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (data instanceof Uint8Array) return [data]
  const isIterable =
    typeof data === 'object' &&
    data !== null &&
    (Symbol.asyncIterator in data || Symbol.iterator in data)
  if (isIterable) return data
  throw invalid(`data must be a Uint8Array or a stream of them, got ${showKind(data)}`)
}

/** Writes chunks of an upload, as many at a time as make a group; nothing is to be seen of them. */
export class Upload {
  readonly #store: StrategicStorageManager
  readonly #key: string
  readonly #hash: Hash = createHash('sha256')
  readonly #buffer: Buffer = Buffer.alloc(CHUNK_BYTES)
  #filled = 0
  #size = 0
  #chunks = 0
  #group: GroupChange[] = []
  #writing: Promise<unknown> = Promise.resolve()
  #stored: Uploaded['stored']

  constructor(store: StrategicStorageManager, key: string) {
    this.#store = store
    this.#key = key
  }

  /** @throws StorageError `INVALID_ARGUMENT` for what is no bytes, or more than may be; as a save. */
  async take(
    pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<Uploaded> {
    checkSignal(signal)
    for await (const piece of readable(pieces)) {
      checkSignal(signal)
      await this.#add(piece)
    }
    if (this.#filled > 0) await this.#endChunk()
    await this.#endGroup()
    await this.#writing
    return {
      chunks: this.#chunks,
      size: this.#size,
      sha256: this.#hash.digest(),
      stored: this.#stored,
    }
  }

  async #add(piece: unknown): Promise<void> {
    if (!(piece instanceof Uint8Array)) {
      throw invalid(`data must give Uint8Arrays, got ${showKind(piece)}`)
    }
    this.#size += piece.byteLength
    if (this.#size > CONTENT_BYTES_MAX) {
      throw invalid(`data must be at most ${CONTENT_BYTES_MAX} bytes, got ${this.#size} or more`)
    }
    this.#hash.update(piece)
    for (let at = 0; at < piece.byteLength;) {
      const part = piece.subarray(at, at + CHUNK_BYTES - this.#filled)
      this.#buffer.set(part, this.#filled)
      this.#filled += part.byteLength
      at += part.byteLength
      if (this.#filled === CHUNK_BYTES) await this.#endChunk()
    }
  }

  async #endChunk(): Promise<void> {
    const value = this.#buffer.toString('base64', 0, this.#filled)
    this.#group.push({ kind: 'put', key: this.#key, id: chunkId(this.#chunks++), value })
    this.#filled = 0
    if (this.#group.length === GROUP_CHUNKS) await this.#endGroup()
  }

  /** One group is on its way while the next one is filled. */
  async #endGroup(): Promise<void> {
    await this.#writing
    const group = this.#group
    this.#group = []
    if (group.length === 0) return
    this.#writing = this.#store.groups.write(group).then((outcome) => {
      this.#stored = inBoth(this.#stored, outcome)
    })
    // Who waits for it is told.
    this.#writing.catch(() => {})
  }
}

/** The places that have both, and whether both are durable. */
export function inBoth(
  one: Uploaded['stored'],
  { copies, durable }: Pick<WriteOutcome, 'copies' | 'durable'>,
): NonNullable<Uploaded['stored']> {
  if (one === undefined) return { copies, durable }
  const shared = one.copies.filter((place) => copies.includes(place))
  return { copies: shared, durable: one.durable && durable }
}

/** What a caller's stream throws is the caller's. */
async function* readable(
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* pieces
  } catch (cause) {
    throw invalid(`data cannot be read: ${messageOf(cause)}`)
  }
}

import { createHash } from 'node:crypto'
import { StorageError } from '../../core/errors.ts'
import { decodeJson, isJson, type JsonText } from '../../core/json.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { chunkId } from './upload.ts'
import type { Upload } from './content-head.ts'
import type { ContentRef } from './content-ref.ts'

/** Chunks that are read at once. */
const CHUNKS_AT_ONCE = 4

/** The bytes of an upload. Errors as `StoredContent.stream` has them. */
export async function* readChunks(
  store: StrategicStorageManager,
  key: string,
  ref: ContentRef,
  { chunks, size, sha256 }: Upload,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256')
  let bytes = 0
  for (let from = 0; from < chunks; from += CHUNKS_AT_ONCE) {
    const count = Math.min(CHUNKS_AT_ONCE, chunks - from)
    const ids = Array.from({ length: count }, (_, i) => chunkId(from + i))
    const { items, complete } = await store.readItemsById(key, ids)
    const decoded = await store.decodeItems(key, items, chunkOf, isChunk)
    const found = new Map(decoded.map((chunk) => [chunk.id, chunk.bytes]))
    for (const id of ids) {
      const chunk = found.get(id)
      if (chunk === undefined) throw missing(ref, complete)
      hash.update(chunk)
      bytes += chunk.byteLength
      yield chunk
    }
  }
  if (bytes === size && hash.digest('hex') === sha256) return
  throw new StorageError('CORRUPT', `${ref} is not what was saved`, { operation: 'read' })
}

function chunkOf(item: Item): { readonly id: string; readonly bytes: Uint8Array } {
  const text = decodeJson<unknown>(itemValue(item)!)
  if (typeof text !== 'string') {
    throw new StorageError('CORRUPT', `chunk ${item.id} of content is damaged`)
  }
  return { id: item.id, bytes: Buffer.from(text, 'base64') }
}

function isChunk(value: JsonText): boolean {
  return isJson(value) && typeof decodeJson<unknown>(value) === 'string'
}

function missing(ref: ContentRef, complete: boolean): StorageError {
  return complete
    ? new StorageError('CORRUPT', `a chunk of ${ref} is missing`, { operation: 'read' })
    : new StorageError(
        'UNAVAILABLE',
        `a chunk of ${ref} was not found, and a place that may have it cannot be reached`,
        { operation: 'read' },
      )
}

import { GROUP_BYTES_MAX } from '../../core/limits.ts'

/** Most messages that an import saves as one atomic group. */
const CHUNK_MESSAGES_MAX = 100
/** Half of what a group may have: the store counts keys and stamps too. */
const CHUNK_BYTES_MAX: number = GROUP_BYTES_MAX / 2

/** Cuts a list into groups, in order. What is too large for any group stands alone. */
export function chunksOf<T>(
  items: readonly T[],
  countMax: number = CHUNK_MESSAGES_MAX,
  bytesMax: number = CHUNK_BYTES_MAX,
): T[][] {
  const chunks: T[][] = []
  let chunk: T[] = []
  let bytes = 0
  for (const item of items) {
    const itemBytes = Buffer.byteLength(JSON.stringify(item))
    if (chunk.length > 0 && (chunk.length === countMax || bytes + itemBytes > bytesMax)) {
      chunks.push(chunk)
      chunk = []
      bytes = 0
    }
    chunk.push(item)
    bytes += itemBytes
  }
  if (chunk.length > 0) chunks.push(chunk)
  return chunks
}

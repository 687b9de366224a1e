import { withoutErased, type ThroughOf } from '../../core/erase.ts'
import { decodeGroup, encodeGroup, payloadBytesMax, skimGroup } from './codec.ts'

/**
 * The payload without what is to go, of the same length, or undefined when nothing of it is. A
 * `delete` is never longer than what it stands for; zeros behind the last operation fill it up, and
 * the frame keeps its place.
 */
export function erasePayload(
  buffer: Buffer,
  start: number,
  end: number,
  throughOf: ThroughOf,
): Buffer | undefined {
  const { keys } = skimGroup(buffer, start)
  if (!keys.some((key) => throughOf(key) !== undefined)) return undefined
  const operations = withoutErased(decodeGroup(buffer, start), throughOf)
  if (operations === undefined) return undefined
  const scratch = Buffer.alloc(payloadBytesMax(operations, keys))
  const used = encodeGroup(scratch, 0, operations, keys)
  const payload = Buffer.alloc(end - start)
  scratch.copy(payload, 0, 0, used)
  return payload
}

import type { ThroughOf } from '../../core/erase.ts'
import type { Lsn } from '../wal.ts'
import { erasePayload } from './erase-payload.ts'
import { readFrame, sealFrame } from './frame.ts'
import { ZEROS_BYTES } from './limits.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

export interface ErasedSegment {
  /** The whole file, its header still to be written. */
  readonly bytes: Buffer
  /** Payloads that were taken out. */
  readonly count: number
}

/**
 * What a sealed segment becomes without these payloads, or undefined when it may stay as it is.
 * Frames keep their offsets. Behind the last one that counts there is nothing any more: a write that
 * failed may have left a payload there.
 *
 * @param bytes The whole file.
 */
export function eraseSegment(
  bytes: Buffer,
  { salt, firstLsn }: { readonly salt: number; readonly firstLsn: Lsn },
  until: Lsn,
  throughOf: ThroughOf,
): ErasedSegment | undefined {
  /** Made when the first payload goes: most segments stay as they are. */
  let copy: Buffer | undefined
  let at = SEGMENT_HEADER_BYTES
  let count = 0
  for (let lsn = firstLsn; lsn < until; lsn++) {
    const frame = readFrame(bytes, at, salt)
    // Damage is not for this code to judge, and must not be carried on as if it were none.
    if (frame?.lsn !== lsn) throw new Error(`the frame of entry ${lsn} at ${at} is not valid`)
    const payload = erasePayload(bytes, frame.payloadStart, frame.payloadEnd, throughOf)
    if (payload !== undefined) {
      copy ??= Buffer.from(bytes)
      payload.copy(copy, frame.payloadStart)
      const header = { lsn, indexInGroup: lsn - frame.groupFirst, lacking: frame.lacking }
      sealFrame(copy, frame.start, frame.payloadEnd, header, salt)
      count++
    }
    at = frame.end
  }
  if (count === 0 && isZero(bytes, at)) return undefined
  return { bytes: (copy ?? Buffer.from(bytes)).subarray(0, at), count }
}

/** Preallocated space is most of a young segment: it is compared, not looked through. */
function isZero(bytes: Buffer, from: number): boolean {
  const zeros = Buffer.alloc(ZEROS_BYTES)
  for (let at = from; at < bytes.byteLength; at += zeros.byteLength) {
    const end = Math.min(at + zeros.byteLength, bytes.byteLength)
    if (bytes.compare(zeros, 0, end - at, at, end) !== 0) return false
  }
  return true
}

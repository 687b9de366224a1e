/*
 * One frame: an atomic group of operations. Integers are little-endian.
 *
 *   offset  size  field
 *        0     4  length n of the payload; never 0, so zeros are not a frame
 *        4     4  CRC-32 of the bytes from 8 to 24 + n, started with the segment's salt
 *        8     8  LSN
 *       16     4  how many frames of the same write come before this one
 *       20     1  who lacks it: bit 0 the primary, bit 1 the backup
 *       21     3  zero
 *       24     n  payload
 *   24 + n   0–7  zeros up to a multiple of 8
 *
 * A frame is valid if and only if it is whole, n is from 1 to PAYLOAD_BYTES_MAX and the CRC is
 * right. The salt is random for each start of a process: no text of a message and no bytes of an
 * older file can pass for a frame.
 */
import { crc32 } from '../../core/crc32.ts'
import type { Lsn } from '../wal.ts'

export const FRAME_HEADER_BYTES = 24
export const FRAME_ALIGNMENT = 8
/** With header and padding a frame stays below 2^26 bytes. */
export const PAYLOAD_BYTES_MAX: number = 2 ** 26 - 64

const TWO_32 = 2 ** 32

export interface Frame {
  readonly lsn: Lsn
  /** LSN of the first frame of the same write. */
  readonly groupFirst: Lsn
  readonly lacking: number
  readonly start: number
  readonly payloadStart: number
  readonly payloadEnd: number
  /** With padding: the next frame begins here. */
  readonly end: number
}

export interface FrameHeader {
  readonly lsn: Lsn
  readonly indexInGroup: number
  readonly lacking: number
}

/** Bytes a frame takes with this payload. */
export function frameBytes(payloadBytes: number): number {
  return align(FRAME_HEADER_BYTES + payloadBytes)
}

/** Completes a frame around the payload that is at `start + 24` already. Returns its end. */
export function sealFrame(
  buffer: Buffer,
  start: number,
  payloadEnd: number,
  { lsn, indexInGroup, lacking }: FrameHeader,
  salt: number,
): number {
  const end = align(payloadEnd)
  buffer.writeUInt32LE(payloadEnd - start - FRAME_HEADER_BYTES, start)
  buffer.writeUInt32LE(lsn % TWO_32, start + 8)
  buffer.writeUInt32LE(Math.floor(lsn / TWO_32), start + 12)
  buffer.writeUInt32LE(indexInGroup, start + 16)
  buffer.writeUInt32LE(lacking, start + 20)
  buffer.fill(0, payloadEnd, end)
  buffer.writeUInt32LE(crc32(buffer.subarray(start + 8, payloadEnd), salt), start + 4)
  return end
}

/** Bytes from `start` to the end of the frame there, judged by its length alone; 0 for none. */
export function claimedBytes(buffer: Buffer, start: number): number {
  const length = buffer.readUInt32LE(start)
  // Checked before it is used as a size: a torn header can claim any length.
  return length === 0 || length > PAYLOAD_BYTES_MAX ? 0 : frameBytes(length)
}

/** The frame at `start`, or undefined when there is no valid one within the buffer. */
export function readFrame(buffer: Buffer, start: number, salt: number): Frame | undefined {
  if (start + FRAME_HEADER_BYTES > buffer.byteLength) return undefined
  const bytes = claimedBytes(buffer, start)
  if (bytes === 0 || start + bytes > buffer.byteLength) return undefined
  const payloadEnd = start + FRAME_HEADER_BYTES + buffer.readUInt32LE(start)
  const sum = crc32(buffer.subarray(start + 8, payloadEnd), salt)
  if (sum !== buffer.readUInt32LE(start + 4)) return undefined
  const lsn = lsnAt(buffer, start)
  return {
    lsn,
    groupFirst: lsn - buffer.readUInt32LE(start + 16),
    lacking: buffer[start + 20]!,
    start,
    payloadStart: start + FRAME_HEADER_BYTES,
    payloadEnd,
    end: start + bytes,
  }
}

/** The LSN that the bytes at `start` claim; nothing is checked. */
export function lsnAt(buffer: Buffer, start: number): Lsn {
  return buffer.readUInt32LE(start + 12) * TWO_32 + buffer.readUInt32LE(start + 8)
}

function align(bytes: number): number {
  return Math.ceil(bytes / FRAME_ALIGNMENT) * FRAME_ALIGNMENT
}

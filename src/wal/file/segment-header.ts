/*
 * The first 64 bytes of a segment and of the dead-letter file. Integers are little-endian.
 *
 *   offset  size  field
 *        0     8  magic: "EVTHRWAL" for a segment, "EVTHRDLQ" for dead letters
 *        8     4  format version, 1
 *       12     4  salt: the CRC-32 of each frame starts with it
 *       16     8  LSN of the first frame; 0 for dead letters
 *       24     4  generation, the number in the file's name; 0 for dead letters
 *       28    32  writer, ASCII, filled up with zeros
 *       60     4  CRC-32 of the bytes from 0 to 60
 *
 * A segment is called "<first LSN, 16 hex digits>-<generation, 8 hex digits>.wal". It gets that name
 * only after its header is on disk, so a named segment without a valid header is damage.
 */
import { crc32 } from '../../core/crc32.ts'
import { invalid, StorageError } from '../../core/errors.ts'
import type { Lsn } from '../wal.ts'

export const SEGMENT_HEADER_BYTES = 64
const FORMAT_VERSION = 1
export const SEGMENT_MAGIC = 'EVTHRWAL'
export const DEAD_LETTERS_MAGIC = 'EVTHRDLQ'

const WRITER_BYTES = 32
const NAME_PATTERN = /^([0-9a-f]{16})-([0-9a-f]{8})\.wal$/

export interface SegmentHeader {
  readonly magic: string
  readonly salt: number
  readonly firstLsn: Lsn
  readonly generation: number
  readonly writer: string
}

export interface SegmentName {
  readonly firstLsn: Lsn
  readonly generation: number
}

export function segmentName({ firstLsn, generation }: SegmentName): string {
  const lsn = firstLsn.toString(16).padStart(16, '0')
  return `${lsn}-${generation.toString(16).padStart(8, '0')}.wal`
}

export function parseSegmentName(name: string): SegmentName | undefined {
  const match = NAME_PATTERN.exec(name)
  if (match === null) return undefined
  return {
    firstLsn: Number.parseInt(match[1]!, 16),
    generation: Number.parseInt(match[2]!, 16),
  }
}

/** Refuses a writer id that a header cannot hold. */
export function checkWriter(writer: string): void {
  if (!/^[\x21-\x7e]{1,32}$/.test(writer)) {
    throw invalid(`writer must be 1 to ${WRITER_BYTES} ASCII characters, got ${writer}`)
  }
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const buffer = Buffer.alloc(SEGMENT_HEADER_BYTES)
  buffer.write(header.magic, 0, 8, 'latin1')
  buffer.writeUInt32LE(FORMAT_VERSION, 8)
  buffer.writeUInt32LE(header.salt, 12)
  buffer.writeBigUInt64LE(BigInt(header.firstLsn), 16)
  buffer.writeUInt32LE(header.generation, 24)
  buffer.write(header.writer, 28, WRITER_BYTES, 'latin1')
  buffer.writeUInt32LE(crc32(buffer.subarray(0, 60)), 60)
  return buffer
}

/**
 * The header, or undefined when it is damaged.
 *
 * @throws StorageError `UNSUPPORTED` for another version of the format.
 */
export function decodeHeader(
  buffer: Buffer,
  magic: string,
  path: string,
): SegmentHeader | undefined {
  if (buffer.byteLength < SEGMENT_HEADER_BYTES) return undefined
  if (buffer.toString('latin1', 0, 8) !== magic) return undefined
  if (crc32(buffer.subarray(0, 60)) !== buffer.readUInt32LE(60)) return undefined
  const version = buffer.readUInt32LE(8)
  if (version !== FORMAT_VERSION) {
    throw new StorageError(
      'UNSUPPORTED',
      `${path} has format version ${version}; this release reads version ${FORMAT_VERSION}`,
      { place: 'wal' },
    )
  }
  return {
    magic,
    salt: buffer.readUInt32LE(12),
    firstLsn: Number(buffer.readBigUInt64LE(16)),
    generation: buffer.readUInt32LE(24),
    writer: buffer.toString('latin1', 28, 60).split('\0', 1)[0]!,
  }
}

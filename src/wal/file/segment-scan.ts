import { join } from 'node:path'
import type { DiskFile } from '../../core/disk.ts'
import type { Env } from '../../core/env.ts'
import type { Lsn } from '../wal.ts'
import type { Damage } from './corrupt.ts'
import type { Frame } from './frame.ts'
import { findLaterWrite, scanFrames } from './scan.ts'
import {
  decodeHeader,
  parseSegmentName,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  type SegmentHeader,
  type SegmentName,
} from './segment-header.ts'

export interface SegmentFile extends SegmentName {
  readonly name: string
}

/** The segments among the files of a directory, oldest first. */
export function segmentFiles(names: Iterable<string>): readonly SegmentFile[] {
  const files: SegmentFile[] = []
  for (const name of names) {
    const parsed = parseSegmentName(name)
    if (parsed !== undefined) files.push({ name, ...parsed })
  }
  return files.sort((a, b) => a.firstLsn - b.firstLsn || a.generation - b.generation)
}

export interface ScannedSegment {
  readonly path: string
  readonly size: number
  readonly header?: SegmentHeader
  /** LSN after the last frame that counts. */
  readonly next: Lsn
  /** Offset behind that frame. */
  readonly end: number
  /** The end was cut within a write that was never acknowledged. */
  readonly torn: boolean
  readonly damage?: Damage
}

export interface SegmentScanOptions {
  /** LSN that the following segment begins with; undefined for the last segment. */
  readonly until?: Lsn
  /** Entries up to this one were synced for certain. */
  readonly durableThrough: Lsn
}

/**
 * Reads one segment and judges its end:
 *
 * - A segment that another one follows counts up to that one's first LSN. All of that was synced
 *   before the other was started: an invalid frame there is damage.
 * - In the last segment the log ends before the first invalid frame. It is a torn tail unless that
 *   entry is known to have been synced, or a frame of a later write is behind it; a later write
 *   begins only after the earlier one was synced. Otherwise it is damage.
 *
 * What is told to be damaged is neither changed nor passed over.
 */
export async function scanSegment(
  env: Pick<Env, 'disk'>,
  directory: string,
  { name, firstLsn, generation }: SegmentFile,
  options: SegmentScanOptions,
  onFrame: (frame: Frame, buffer: Buffer, offset: number, header: SegmentHeader) => void,
): Promise<ScannedSegment> {
  const path = join(directory, name)
  const file = await env.disk.open(path, 'open')
  try {
    const size = await file.size()
    const head = Buffer.alloc(SEGMENT_HEADER_BYTES)
    await file.read(head, 0)
    const header = decodeHeader(head, SEGMENT_MAGIC, path)
    const isOurs = header?.firstLsn === firstLsn && header.generation === generation
    if (header === undefined || !isOurs) {
      const damage = { path, offset: 0, reason: 'the header is not valid' }
      return { path, size, next: firstLsn, end: 0, torn: false, damage }
    }
    const { salt } = header
    let next = firstLsn
    let end = SEGMENT_HEADER_BYTES
    for (let seen = 0; ; seen = end) {
      end = await scanFrames(file, { from: end, size, salt }, (frame, buffer, offset) => {
        if (frame.lsn !== next || next === options.until) return false
        onFrame(frame, buffer, offset, header)
        next++
        return true
      })
      const judged = await judgeEnd(file, { path, size, salt, end, next }, options)
      // A later write behind the end may be an owner's who wrote on meanwhile: only where a second look
      // does not get further either, it is damage.
      const isSettled = judged.damage === undefined || end === seen
      if (isSettled) return { path, size, header, next, end, ...judged }
    }
  } finally {
    await file.close()
  }
}

interface FoundEnd {
  readonly path: string
  readonly size: number
  readonly salt: number
  readonly end: number
  readonly next: Lsn
}

async function judgeEnd(
  file: DiskFile,
  { path, size, salt, end, next }: FoundEnd,
  { until, durableThrough }: SegmentScanOptions,
): Promise<{ torn: boolean; damage?: Damage }> {
  if (until !== undefined) {
    if (next === until) return { torn: false }
    const reason = `entry ${next} is not valid, and the next segment begins with ${until}`
    return { torn: false, damage: { path, offset: end, reason } }
  }
  if (next <= durableThrough) {
    const reason = `entry ${next} is not valid, and ${durableThrough} was on disk`
    return { torn: false, damage: { path, offset: end, reason } }
  }
  const later = await findLaterWrite(file, { from: end, size, salt }, next)
  if (later === undefined) return { torn: await hasBytes(file, end, size) }
  const reason = `entry ${next} is not valid, and a later write is at ${later}`
  return { torn: false, damage: { path, offset: end, reason } }
}

/** False for an end of zeros: the space that was prepared and never written. */
async function hasBytes(file: DiskFile, from: number, size: number): Promise<boolean> {
  const zeros = Buffer.alloc(65_536)
  const bytes = Buffer.alloc(65_536)
  for (let offset = from; offset < size; offset += bytes.byteLength) {
    const count = await file.read(bytes, offset)
    if (bytes.compare(zeros, 0, count, 0, count) !== 0) return true
  }
  return false
}

import type { DiskFile } from '../../core/disk.ts'
import type { Lsn } from '../wal.ts'
import {
  claimedBytes,
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  lsnAt,
  readFrame,
  type Frame,
} from './frame.ts'
import { READ_BYTES } from './limits.ts'

/** A part of a file in memory: at least one frame of it, whatever its size. */
class Window {
  readonly #file: DiskFile
  readonly #size: number
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(file: DiskFile, size: number) {
    this.#file = file
    this.#size = size
  }

  /** Bytes of the file from `offset` on, `count` of them or up to its end, and some more. */
  async from(offset: number, count: number): Promise<Buffer> {
    const start = offset - this.#at
    if (start < 0 || start + Math.min(count, this.#size - offset) > this.#bytes.byteLength) {
      const wanted = Math.min(Math.max(count, READ_BYTES), this.#size - offset)
      const buffer = Buffer.allocUnsafe(Math.max(0, wanted))
      const read = await this.#file.read(buffer, offset)
      this.#bytes = buffer.subarray(0, read)
      this.#at = offset
      return this.#bytes
    }
    return this.#bytes.subarray(start)
  }
}

export interface ScanOptions {
  readonly from: number
  /** Size of the file. */
  readonly size: number
  readonly salt: number
}

/**
 * Reads a file from front to back: while one part of it is looked at, the next one is being read. Two
 * buffers take turns, because memory that is new for each part costs more than reading into it.
 */
class ReadAhead {
  readonly #file: DiskFile
  readonly #size: number
  #current: Buffer | undefined
  #other: Buffer | undefined
  #next: { readonly offset: number; readonly bytes: Promise<Buffer> } | undefined

  constructor(file: DiskFile, size: number) {
    this.#file = file
    this.#size = size
  }

  /** What is at `offset`, until the next call of `take`. */
  async take(offset: number): Promise<Buffer> {
    if (this.#next?.offset !== offset) {
      await this.settle()
      this.start(offset)
    }
    const { bytes } = this.#next!
    this.#next = undefined
    const current = this.#current
    this.#current = this.#other
    this.#other = current
    return await bytes
  }

  /** Begins to read there. Failing is told by `take`. */
  start(offset: number): void {
    this.#other ??= Buffer.allocUnsafeSlow(Math.min(READ_BYTES, this.#size))
    const part = this.#other.subarray(0, Math.max(0, this.#size - offset))
    const bytes = this.#file.read(part, offset).then((count) => part.subarray(0, count))
    bytes.catch(() => {})
    this.#next = { offset, bytes }
  }

  /** Resolves when nothing is being read any more: the file may be closed. */
  async settle(): Promise<void> {
    await this.#next?.bytes.catch(() => {})
    this.#next = undefined
  }
}

/**
 * Hands over valid frames one after another, until one is not valid or `onFrame` refuses one.
 * Returns the offset of that one. The buffer is valid during the call only.
 */
export async function scanFrames(
  file: DiskFile,
  { from, size, salt }: ScanOptions,
  onFrame: (frame: Frame, buffer: Buffer, offset: number) => boolean,
): Promise<number> {
  const ahead = new ReadAhead(file, size)
  let offset = from
  try {
    while (offset + FRAME_HEADER_BYTES <= size) {
      let buffer = await ahead.take(offset)
      let whole = wholeBytes(buffer)
      if (whole === 0) {
        // None, or one that is larger than what is read at a time.
        const bytes = buffer.byteLength < FRAME_HEADER_BYTES ? 0 : claimedBytes(buffer, 0)
        if (bytes === 0 || offset + bytes > size) break
        buffer = await new Window(file, size).from(offset, bytes)
        whole = bytes
      }
      const isLast = claimsNone(buffer, whole)
      if (!isLast && offset + whole + FRAME_HEADER_BYTES <= size) ahead.start(offset + whole)
      for (let at = 0; at < whole;) {
        const frame = readFrame(buffer, at, salt)
        if (frame === undefined || !onFrame(frame, buffer, offset)) return offset
        offset += frame.end - at
        at = frame.end
      }
      if (isLast) break
    }
    return offset
  } finally {
    await ahead.settle()
  }
}

/** The end of the last frame that is whole in the buffer, judged by their lengths alone. */
function wholeBytes(buffer: Buffer): number {
  let at = 0
  while (at + FRAME_HEADER_BYTES <= buffer.byteLength) {
    const bytes = claimedBytes(buffer, at)
    if (bytes === 0 || at + bytes > buffer.byteLength) break
    at += bytes
  }
  return at
}

/** True when the buffer shows that no frame begins there. */
function claimsNone(buffer: Buffer, at: number): boolean {
  return at + FRAME_HEADER_BYTES <= buffer.byteLength && claimedBytes(buffer, at) === 0
}

/**
 * The offset of a valid frame behind `from` that belongs to a later write than the one with `lsn`,
 * or undefined. A write begins only after the one before it was synced: when a later one is there,
 * an invalid frame before it is damage and not a torn tail.
 */
export async function findLaterWrite(
  file: DiskFile,
  { from, size, salt }: ScanOptions,
  lsn: Lsn,
  lsnMax: Lsn = lsn + size / FRAME_HEADER_BYTES,
): Promise<number | undefined> {
  const window = new Window(file, size)
  let offset = from
  while (offset + FRAME_HEADER_BYTES <= size) {
    const buffer = await window.from(offset, FRAME_HEADER_BYTES)
    const end = buffer.byteLength - FRAME_HEADER_BYTES
    if (end < 0) return undefined
    let at = 0
    for (; at <= end; at += FRAME_ALIGNMENT) {
      if (!mayBeLater(buffer, at, lsn, lsnMax)) continue
      const bytes = claimedBytes(buffer, at)
      if (offset + at + bytes > size) continue
      const whole = await new Window(file, size).from(offset + at, bytes)
      if (readFrame(whole, 0, salt) !== undefined) return offset + at
    }
    offset += at
  }
  return undefined
}

/** The cheap look that rules nearly everything out before a checksum is computed. */
function mayBeLater(buffer: Buffer, at: number, lsn: Lsn, lsnMax: Lsn): boolean {
  if (claimedBytes(buffer, at) === 0) return false
  const candidate = lsnAt(buffer, at)
  if (candidate <= lsn || candidate > lsnMax) return false
  return candidate - buffer.readUInt32LE(at + 16) > lsn
}

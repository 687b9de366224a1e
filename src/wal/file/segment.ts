import { join } from 'node:path'
import type { Disk, DiskFile } from '../../core/disk.ts'
import type { Lsn, WalEntry } from '../wal.ts'
import { decodeGroup } from './codec.ts'
import { corrupt } from './corrupt.ts'
import { readFrame } from './frame.ts'
import { readWhole } from './read-whole.ts'
import { segmentName, type SegmentHeader } from './segment-header.ts'

/** Where a frame is in its segment. */
export interface FrameLocation {
  readonly lsn: Lsn
  readonly offset: number
  readonly bytes: number
}

/**
 * One segment file. Reading opens it as long as somebody reads; a segment that is written to stays
 * open. A pinned segment is not removed.
 */
export class Segment {
  readonly header: SegmentHeader
  readonly path: string
  /** Size of the file, preallocated space included. */
  readonly size: number
  /** Where the next frame goes: everything before it is written. */
  used: number
  readonly #disk: Disk
  #file: Promise<DiskFile> | undefined
  #writing: boolean
  #pins = 0
  #onFree: (() => void) | undefined

  /** With a `file` the segment is being written to, until `stopWriting`. */
  constructor(
    disk: Disk,
    directory: string,
    header: SegmentHeader,
    { used, size, file }: { used: number; size: number; file?: DiskFile },
  ) {
    this.#disk = disk
    this.header = header
    this.path = join(directory, segmentName(header))
    this.used = used
    this.size = size
    this.#file = file === undefined ? undefined : Promise.resolve(file)
    this.#writing = file !== undefined
  }

  get firstLsn(): Lsn {
    return this.header.firstLsn
  }

  pin(): void {
    this.#pins++
  }

  async unpin(): Promise<void> {
    this.#pins--
    if (this.#pins > 0) return
    if (!this.#writing) await this.#closeFile()
    this.#onFree?.()
  }

  /** The entries at these places, in the same order. The segment is pinned. */
  async read(locations: readonly FrameLocation[]): Promise<readonly WalEntry[]> {
    const payloads = await this.#read(locations)
    return payloads.map((payload, i) => ({
      lsn: locations[i]!.lsn,
      operations: decodeGroup(payload, 0),
    }))
  }

  /** Their payloads. The segment is not pinned: it is closed afterwards. */
  async readPayloads(locations: readonly FrameLocation[]): Promise<readonly Buffer[]> {
    this.pin()
    try {
      return await this.#read(locations)
    } finally {
      await this.unpin()
    }
  }

  async #read(locations: readonly FrameLocation[]): Promise<readonly Buffer[]> {
    const first = locations[0]!
    const last = locations.at(-1)!
    const bytes = Buffer.allocUnsafe(last.offset + last.bytes - first.offset)
    this.#file ??= this.#disk.open(this.path, 'open')
    const file = await this.#file
    const count = await file.read(bytes, first.offset)
    const read = bytes.subarray(0, count)
    return locations.map(({ lsn, offset }) => {
      const frame = readFrame(read, offset - first.offset, this.header.salt)
      if (frame?.lsn !== lsn) {
        const reason = `the frame of entry ${lsn} is not valid any more`
        throw corrupt({ path: this.path, offset, reason })
      }
      return read.subarray(frame.payloadStart, frame.payloadEnd)
    })
  }

  /** The whole file, as it is. Nobody writes to it. */
  async readAll(): Promise<Buffer> {
    return await readWhole(this.#disk, this.path)
  }

  /** The file to write to; only before `stopWriting`. */
  async writable(): Promise<DiskFile> {
    return await this.#file!
  }

  /** Nothing is written to it any more; reading goes on. */
  async stopWriting(): Promise<void> {
    if (!this.#writing) return
    this.#writing = false
    if (this.#pins === 0) await this.#closeFile()
  }

  /** Removes the file as soon as nobody reads it. */
  async remove(): Promise<void> {
    if (this.#pins > 0) await new Promise<void>((resolve) => (this.#onFree = resolve))
    this.#writing = false
    await this.#closeFile()
    try {
      await this.#disk.remove(this.path)
    } catch (error) {
      // Removed before, when syncing the directory failed.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  async #closeFile(): Promise<void> {
    const opening = this.#file
    this.#file = undefined
    // Whoever asked for it has heard that it cannot be opened.
    const file = await opening?.catch(() => undefined)
    await file?.close()
  }
}

/*
 * The list of contents at the end of a zip (APPNOTE.TXT of PKWARE, 4.3 and 4.5.3). Only what an import needs:
 * files that are stored or deflated, in one part, of any size. Nothing of it is ever written to a disk.
 */
import { MIB } from '../../core/limits.ts'

/** Most files of an archive; an export with pictures has a file each. */
export const ZIP_ENTRIES_MAX = 1_000_000
/** Longest list of contents. */
export const ZIP_DIRECTORY_BYTES_MAX: number = 256 * MIB
/** Longest name of a file that is read, in bytes. */
export const ZIP_NAME_BYTES_MAX = 1024

/** Reads a part of the file; fewer bytes only at its end. */
export interface RandomAccess {
  readonly size: number
  read(position: number, length: number): Promise<Buffer>
}

export interface ZipEntry {
  readonly name: string
  /** 0: stored, 8: deflated; others are not read. */
  readonly method: number
  readonly isEncrypted: boolean
  readonly crc: number
  readonly compressedBytes: number
  readonly bytes: number
  /** Where its own header begins. */
  readonly position: number
}

const END_SIGNATURE = 0x06054b50
const END_BYTES = 22
const COMMENT_BYTES_MAX = 0xffff
const LOCATOR_SIGNATURE = 0x07064b50
const LOCATOR_BYTES = 20
const END64_SIGNATURE = 0x06064b50
const END64_BYTES = 56
const ENTRY_SIGNATURE = 0x02014b50
const ENTRY_BYTES = 46
const HEADER_SIGNATURE = 0x04034b50
const HEADER_BYTES = 30
/** Stands where a number of 64 bits is somewhere else. */
const ELSEWHERE_32 = 0xffffffff
const ELSEWHERE_16 = 0xffff
const EXTRA_64 = 0x0001

/**
 * @throws Error for what is no zip, is damaged or beyond a limit, and for files that lie over each other, as they
 * do in archives that are made to fill a memory.
 */
export async function zipDirectory(file: RandomAccess): Promise<ZipEntry[]> {
  const { count, bytes, position } = await findDirectory(file)
  checkLimit('files', count, ZIP_ENTRIES_MAX)
  checkLimit('bytes of its list of contents', bytes, ZIP_DIRECTORY_BYTES_MAX)
  const directory = await readAll(file, position, bytes)
  const entries: ZipEntry[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_BYTES > bytes || directory.readUInt32LE(at) !== ENTRY_SIGNATURE) throw damaged()
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) =>
      directory.readUInt16LE(at + offset),
    ) as [number, number, number]
    const end = at + ENTRY_BYTES + nameBytes + extraBytes + commentBytes
    if (end > bytes) throw damaged()
    entries.push(entryOf(directory.subarray(at, end), nameBytes, extraBytes))
    at = end
  }
  checkOverlap(entries, position)
  return entries
}

/** Where the contents of a file are; its own header may be longer than its line in the list says. */
export async function contentsPosition(file: RandomAccess, entry: ZipEntry): Promise<number> {
  const header = await readAll(file, entry.position, HEADER_BYTES)
  if (header.readUInt32LE(0) !== HEADER_SIGNATURE) throw damaged()
  return entry.position + HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28)
}

interface Directory {
  readonly count: number
  readonly bytes: number
  readonly position: number
}

async function findDirectory(file: RandomAccess): Promise<Directory> {
  const tailBytes = Math.min(file.size, END_BYTES + COMMENT_BYTES_MAX)
  const tailStart = file.size - tailBytes
  const tail = await readAll(file, tailStart, tailBytes)
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue
    if (at + END_BYTES + tail.readUInt16LE(at + 20) !== tail.length) continue
    const found = {
      count: tail.readUInt16LE(at + 10),
      bytes: tail.readUInt32LE(at + 12),
      position: tail.readUInt32LE(at + 16),
    }
    const isElsewhere =
      found.count === ELSEWHERE_16 ||
      found.bytes === ELSEWHERE_32 ||
      found.position === ELSEWHERE_32
    const directory = isElsewhere ? await findDirectory64(file, tailStart + at) : found
    if (directory.position + directory.bytes > file.size) throw damaged()
    return directory
  }
  throw new Error('the zip has no list of contents: it is cut off, or no zip')
}

async function findDirectory64(file: RandomAccess, end: number): Promise<Directory> {
  if (end < LOCATOR_BYTES) throw damaged()
  const locator = await readAll(file, end - LOCATOR_BYTES, LOCATOR_BYTES)
  if (locator.readUInt32LE(0) !== LOCATOR_SIGNATURE) throw damaged()
  const record = await readAll(file, numberAt(locator, 8), END64_BYTES)
  if (record.readUInt32LE(0) !== END64_SIGNATURE) throw damaged()
  return {
    count: numberAt(record, 32),
    bytes: numberAt(record, 40),
    position: numberAt(record, 48),
  }
}

function entryOf(line: Buffer, nameBytes: number, extraBytes: number): ZipEntry {
  const sizes = {
    bytes: line.readUInt32LE(24),
    compressedBytes: line.readUInt32LE(20),
    position: line.readUInt32LE(42),
  }
  const extra = line.subarray(ENTRY_BYTES + nameBytes, ENTRY_BYTES + nameBytes + extraBytes)
  return {
    // Old programs write names of another code page; they are for people, and are compared with ASCII.
    name: line.subarray(ENTRY_BYTES, ENTRY_BYTES + nameBytes).toString('utf8'),
    method: line.readUInt16LE(10),
    isEncrypted: (line.readUInt16LE(8) & 1) === 1,
    crc: line.readUInt32LE(16),
    ...withLargeSizes(sizes, extra),
  }
}

type Sizes = Pick<ZipEntry, 'bytes' | 'compressedBytes' | 'position'>

/** The numbers that have no room in their places stand in an extra field, in this order. */
function withLargeSizes(sizes: Sizes, extra: Buffer): Sizes {
  let fields = extra
  while (fields.length >= 4) {
    const bytes = fields.readUInt16LE(2)
    if (fields.readUInt16LE(0) === EXTRA_64) {
      let values = fields.subarray(4, 4 + bytes)
      const next = (value: number): number => {
        if (value !== ELSEWHERE_32) return value
        if (values.length < 8) throw damaged()
        const large = numberAt(values, 0)
        values = values.subarray(8)
        return large
      }
      return {
        bytes: next(sizes.bytes),
        compressedBytes: next(sizes.compressedBytes),
        position: next(sizes.position),
      }
    }
    fields = fields.subarray(4 + bytes)
  }
  return sizes
}

function checkOverlap(entries: readonly ZipEntry[], directory: number): void {
  const sorted = entries.toSorted((a, b) => a.position - b.position)
  sorted.forEach((entry, i) => {
    // Beside its contents a file has a header with its name; the least of it will do.
    const end = entry.position + HEADER_BYTES + entry.compressedBytes
    if (end > (sorted[i + 1]?.position ?? directory)) {
      throw new Error(`the zip has files that lie over each other: ${JSON.stringify(entry.name)}`)
    }
  })
}

/** A number of 64 bits; one that is no exact number is beyond any file. */
function numberAt(buffer: Buffer, offset: number): number {
  const value = Number(buffer.readBigUInt64LE(offset))
  if (!Number.isSafeInteger(value)) throw damaged()
  return value
}

async function readAll(file: RandomAccess, position: number, length: number): Promise<Buffer> {
  if (position + length > file.size) throw damaged()
  const bytes = await file.read(position, length)
  if (bytes.length !== length) throw damaged()
  return bytes
}

function checkLimit(what: string, value: number, max: number): void {
  if (value > max) throw new Error(`the zip has ${value} ${what}, at most ${max} are allowed`)
}

function damaged(): Error {
  return new Error('the zip is damaged: its list of contents is not what it says')
}

import { crc32, deflateRawSync } from 'node:zlib'

export interface ZipFile {
  readonly name: string
  readonly contents: Uint8Array | string
  readonly method?: number
  /** What the zip says of it, where that is to be wrong. */
  readonly says?: { readonly bytes?: number; readonly crc?: number; readonly flags?: number }
  /** Stands where this file stands, and has no contents of its own. */
  readonly over?: number
  /** Numbers of 64 bits in an extra field. */
  readonly large?: boolean
}

const ELSEWHERE = 0xffffffff

/** An archive of these files: local headers with contents, then the list of contents. */
export function makeZip(files: readonly ZipFile[]): Buffer {
  const parts: Buffer[] = []
  const lines: Buffer[] = []
  const positions: number[] = []
  let at = 0
  for (const file of files) {
    const contents = Buffer.from(file.contents)
    const { method = 8, says = {}, over, large = false } = file
    const packed = method === 8 ? deflateRawSync(contents) : contents
    const name = Buffer.from(file.name)
    const { bytes = contents.length, crc = crc32(contents), flags = 0 } = says
    const position = over === undefined ? at : positions[over]!
    positions.push(position)
    const head = Buffer.alloc(30)
    head.writeUInt32LE(0x04034b50, 0)
    head.writeUInt16LE(method, 8)
    head.writeUInt16LE(name.length, 26)
    const line = Buffer.alloc(46)
    line.writeUInt32LE(0x02014b50, 0)
    line.writeUInt16LE(flags, 8)
    line.writeUInt16LE(method, 10)
    line.writeUInt32LE(crc, 16)
    line.writeUInt32LE(large ? ELSEWHERE : packed.length, 20)
    line.writeUInt32LE(large ? ELSEWHERE : bytes, 24)
    line.writeUInt16LE(name.length, 28)
    line.writeUInt32LE(large ? ELSEWHERE : position, 42)
    const extra = large ? largeNumbers([bytes, packed.length, position]) : Buffer.alloc(0)
    line.writeUInt16LE(extra.length, 30)
    lines.push(line, name, extra)
    if (over === undefined) {
      parts.push(head, name, packed)
      at += head.length + name.length + packed.length
    }
  }
  const directory = Buffer.concat(lines)
  const isLarge = files.some(({ large }) => large)
  return Buffer.concat([...parts, directory, end(files.length, directory.length, at, isLarge)])
}

function largeNumbers(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length)
  extra.writeUInt16LE(1, 0)
  extra.writeUInt16LE(8 * values.length, 2)
  values.forEach((value, i) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i))
  return extra
}

function end(count: number, bytes: number, position: number, isLarge: boolean): Buffer {
  const record = Buffer.alloc(22)
  record.writeUInt32LE(0x06054b50, 0)
  record.writeUInt16LE(isLarge ? 0xffff : count, 10)
  record.writeUInt32LE(isLarge ? ELSEWHERE : bytes, 12)
  record.writeUInt32LE(isLarge ? ELSEWHERE : position, 16)
  if (!isLarge) return record
  const large = Buffer.alloc(56)
  large.writeUInt32LE(0x06064b50, 0)
  large.writeBigUInt64LE(BigInt(count), 32)
  large.writeBigUInt64LE(BigInt(bytes), 40)
  large.writeBigUInt64LE(BigInt(position), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50, 0)
  locator.writeBigUInt64LE(BigInt(position + bytes), 8)
  return Buffer.concat([large, locator, record])
}

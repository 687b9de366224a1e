import { getBuiltinModule } from 'node:process'
import type { crc32 as NativeCrc32 } from 'node:zlib'

interface Zlib {
  readonly crc32: typeof NativeCrc32
}

/** Taken with the first checksum: a program that imports the library and opens no log does without zlib. */
let native: Zlib['crc32'] | undefined

/** CRC-32 as gzip has it (RFC 1952 §8), of bytes or text, continued from `value`. */
export function crc32(data: Uint8Array | string, value = 0): number {
  native ??= (getBuiltinModule('node:zlib') as Zlib).crc32
  return native(data, value)
}

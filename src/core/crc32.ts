import type * as Zlib from 'node:zlib'
import { nodeBuiltin } from './node-builtin.ts'

/** Taken with the first checksum: a program that imports the library and opens no log does without zlib. */
let native: typeof Zlib.crc32 | undefined

/** CRC-32 as gzip has it (RFC 1952 §8), of bytes or text, continued from `value`. */
export function crc32(data: Uint8Array | string, value = 0): number {
  native ??= nodeBuiltin('node:zlib').crc32
  return native(data, value)
}

/** CRC-32 as gzip has it (RFC 1952 §8), of bytes or text, continued from `value`. */
export function crc32(data: Uint8Array | string, value = 0): number {
  native ??= process.getBuiltinModule('node:zlib').crc32
  return native(data, value)
}

/** Taken with the first checksum: a program that imports the library and opens no log does without zlib. */
let native: typeof import('node:zlib').crc32 | undefined

/*
 * One-dimensional arrays in PostgreSQL's binary format (array_send in its source): number of dimensions,
 * whether there are NULLs, type of the elements, length, lower bound, then each element's length and
 * bytes. The driver sends a Buffer in binary format. For texts that are full of quotes, as JSON is, and
 * for uuids this takes a fraction of what the text format takes, here and in the server.
 */
const HEADER_BYTES = 20
const UUID_BYTES = 16
const BIGINT_BYTES = 8
const TWO_32 = 2 ** 32

/** Of the catalog pg_type, the same in every database. */
const OID = { bigint: 20, text: 25, uuid: 2950 } as const

const HEX = new Uint8Array(128)
for (let i = 0; i < 16; i++) HEX[i.toString(16).charCodeAt(0)] = i

export function textArray(texts: readonly string[]): Buffer {
  let bytesMax = HEADER_BYTES
  // A UTF-16 unit is at most three bytes.
  for (const text of texts) bytesMax += 4 + text.length * 3
  const buffer = header(OID.text, texts.length, bytesMax)
  let at = HEADER_BYTES
  for (const text of texts) {
    const bytes = buffer.write(text, at + 4, 'utf8')
    buffer.writeInt32BE(bytes, at)
    at += 4 + bytes
  }
  return buffer.subarray(0, at)
}

/** Canonical lowercase text. */
export function uuidArray(uuids: readonly string[]): Buffer {
  const buffer = header(OID.uuid, uuids.length, HEADER_BYTES + uuids.length * (4 + UUID_BYTES))
  let at = HEADER_BYTES
  for (const uuid of uuids) {
    at = buffer.writeInt32BE(UUID_BYTES, at)
    for (let i = 0; i < uuid.length; i += 2) {
      if (uuid.charCodeAt(i) === 0x2d) i++
      buffer[at++] = (HEX[uuid.charCodeAt(i)]! << 4) | HEX[uuid.charCodeAt(i + 1)]!
    }
  }
  return buffer
}

/** Integers from 0 to 2^53 - 1. */
export function bigintArray(values: readonly number[]): Buffer {
  const buffer = header(
    OID.bigint,
    values.length,
    HEADER_BYTES + values.length * (4 + BIGINT_BYTES),
  )
  let at = HEADER_BYTES
  for (const value of values) {
    at = buffer.writeInt32BE(BIGINT_BYTES, at)
    at = buffer.writeUInt32BE(Math.floor(value / TWO_32), at)
    at = buffer.writeUInt32BE(value % TWO_32, at)
  }
  return buffer
}

function header(oid: number, length: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes)
  buffer.writeInt32BE(1, 0)
  buffer.writeInt32BE(0, 4)
  buffer.writeInt32BE(oid, 8)
  buffer.writeInt32BE(length, 12)
  buffer.writeInt32BE(1, 16)
  return buffer
}

/*
 * Every object with a content is one line of header and a JSON text:
 *
 *   everthread-s3 1 KIND ENCODING SHA256 LF
 *   body
 *
 * KIND is identity, version, segment, index, journal or lease. ENCODING is plain or gzip. SHA256 is that of
 * the body as stored, in hexadecimal. An object is valid if and only if the header is whole, says
 * the kind that was looked for, and the checksum is right; anything else is damage, and an error
 * that names the object.
 */
import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { messageOf, StorageError } from '../../../core/errors.ts'
import { parseJson } from '../../../core/json.ts'

export type ObjectKind = 'identity' | 'version' | 'segment' | 'index' | 'journal' | 'lease'

const MAGIC = 'everthread-s3 1'
const HEADER_BYTES_MAX = 200

export function encodeObject(kind: ObjectKind, content: unknown, compress = false): Buffer {
  const text = Buffer.from(JSON.stringify(content))
  const body = compress ? gzipSync(text) : text
  const encoding = compress ? 'gzip' : 'plain'
  return Buffer.concat([Buffer.from(`${MAGIC} ${kind} ${encoding} ${sha256(body)}\n`), body])
}

/**
 * The content of an object.
 *
 * @throws StorageError `CORRUPT` when it is damaged; the message names it.
 */
export function decodeObject(kind: ObjectKind, name: string, bytes: Buffer): unknown {
  const end = bytes.subarray(0, HEADER_BYTES_MAX).indexOf('\n')
  const header = end === -1 ? '' : bytes.toString('latin1', 0, end)
  if (!header.startsWith(`${MAGIC} `)) throw damaged(name, 'it is not an object of this format')
  const [found, encoding, checksum] = header.slice(MAGIC.length + 1).split(' ')
  if (found !== kind) throw damaged(name, `it is not a ${kind}`)
  const body = bytes.subarray(end + 1)
  if (sha256(body) !== checksum) throw damaged(name, 'its checksum is wrong')
  try {
    const text = encoding === 'gzip' ? gunzipSync(body) : body
    return parseJson(text.toString())
  } catch (error) {
    throw damaged(name, messageOf(error))
  }
}

export function damaged(name: string, reason: string): StorageError {
  return new StorageError('CORRUPT', `S3: the object ${name} is damaged: ${reason}`)
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/*
 * An encrypted value as it is stored. No JSON text begins with its first letter, so that nobody's
 * value can pass for one:
 *
 *   et1.<key id>.<check>.<digest>.<bytes>
 *
 *   key id   which key it was encrypted with, 1 to 32 letters, digits, `_` and `-`
 *   check    8 hex digits that tell another secret under the same id
 *   digest   the 48-bit digest of the operation with its plain value (for an edit without its position,
 *            which databases add), 12 hex digits: databases compare those, so that an encrypted backup can be compared with a plain primary. Whoever guesses a
 *            value may confirm the guess by it
 *   bytes    base64url of nonce (12 bytes), tag (16 bytes) and ciphertext
 */
import type { JsonText } from '../json.ts'

export const KEY_ID_PATTERN: RegExp = /^[A-Za-z0-9_-]{1,32}$/
const PREFIX = 'et1.'
const HEAD = /^et1\.([A-Za-z0-9_-]{1,32})\.([0-9a-f]{8})\.([0-9a-f]{12})\./
/** Nonce and tag. */
const BYTES_MIN = 28

export interface Envelope {
  readonly keyId: string
  readonly check: string
  readonly digest: number
  readonly bytes: Buffer
}

export function formatEnvelope({ keyId, check, digest, bytes }: Envelope): JsonText {
  const hex = digest.toString(16).padStart(12, '0')
  return `${PREFIX}${keyId}.${check}.${hex}.${bytes.toString('base64url')}` as JsonText
}

/** Undefined for any other value. */
export function parseEnvelope(value: string): Envelope | undefined {
  const head = headOf(value)
  if (head === undefined) return undefined
  const [all, keyId, check, digest] = head
  // Not by a pattern: one that goes through megabytes overflows the stack.
  const text = value.slice(all.length)
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.byteLength < BYTES_MIN || bytes.toString('base64url') !== text) return undefined
  return { keyId: keyId!, check: check!, digest: Number.parseInt(digest!, 16), bytes }
}

/** The digest of the plain value, without decrypting anything. */
export function digestInEnvelope(value: string): number | undefined {
  const head = headOf(value)
  return head === undefined ? undefined : Number.parseInt(head[3]!, 16)
}

function headOf(value: string): RegExpExecArray | undefined {
  return value.startsWith(PREFIX) ? (HEAD.exec(value) ?? undefined) : undefined
}

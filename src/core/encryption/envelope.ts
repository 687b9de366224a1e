/*
 * An encrypted value as it is stored: JSON text like any other, a string without escapes.
 *
 *   "et1.<key id>.<check>.<digest>.<bytes>"
 *
 *   key id   which key it was encrypted with, 1 to 32 letters, digits, `_` and `-`
 *   check    8 hex digits that tell another secret under the same id
 *   digest   the 48-bit digest of the operation with its plain value, 12 hex digits: databases compare
 *            those, so that an encrypted backup can be compared with a plain primary. Whoever guesses a
 *            value may confirm the guess by it
 *   bytes    base64url of nonce (12 bytes), tag (16 bytes) and ciphertext
 */
import type { JsonText } from '../json.ts'

export const KEY_ID_PATTERN: RegExp = /^[A-Za-z0-9_-]{1,32}$/
const PREFIX = '"et1.'
const PATTERN =
  /^"et1\.([A-Za-z0-9_-]{1,32})\.([0-9a-f]{8})\.([0-9a-f]{12})\.([A-Za-z0-9_-]{38,})"$/

export interface Envelope {
  readonly keyId: string
  readonly check: string
  readonly digest: number
  readonly bytes: Buffer
}

export function formatEnvelope({ keyId, check, digest, bytes }: Envelope): JsonText {
  const hex = digest.toString(16).padStart(12, '0')
  return `${PREFIX}${keyId}.${check}.${hex}.${bytes.toString('base64url')}"` as JsonText
}

/** Undefined for any other value. */
export function parseEnvelope(value: string): Envelope | undefined {
  if (!value.startsWith(PREFIX)) return undefined
  const match = PATTERN.exec(value)
  if (match === null) return undefined
  const [, keyId, check, digest, bytes] = match
  return {
    keyId: keyId!,
    check: check!,
    digest: Number.parseInt(digest!, 16),
    bytes: Buffer.from(bytes!, 'base64url'),
  }
}

/** The digest of the plain value, without decrypting anything. */
export function digestInEnvelope(value: string): number | undefined {
  if (!value.startsWith(PREFIX)) return undefined
  const match = /^"et1\.[A-Za-z0-9_-]{1,32}\.[0-9a-f]{8}\.([0-9a-f]{12})\./.exec(value)
  return match === null ? undefined : Number.parseInt(match[1]!, 16)
}

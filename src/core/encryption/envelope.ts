/*
 * An encrypted value as it is stored. No JSON text begins with its first letter, so that nobody's
 * value can pass for one:
 *
 *   et2.<key id>.<check>.<bytes>
 *
 *   key id   which key it was encrypted with, 1 to 32 letters, digits, `_` and `-`
 *   check    8 hex digits that tell another secret under the same id
 *   bytes    base64url of nonce (12 bytes), tag (16 bytes) and ciphertext
 *
 * An earlier release wrote `et1.<key id>.<check>.<digest>.<bytes>`, with 12 hex digits of a hash of the plain
 * operation: whoever guessed a value could confirm the guess by them. Such a text is read, and never written.
 */
import type { JsonText } from '../json.ts'

export const KEY_ID_PATTERN: RegExp = /^[A-Za-z0-9_-]{1,32}$/
const HEAD = /^et2\.([A-Za-z0-9_-]{1,32})\.([0-9a-f]{8})\./
const EARLIER_HEAD = /^et1\.([A-Za-z0-9_-]{1,32}\.[0-9a-f]{8})\.([0-9a-f]{12})\./
/** Nonce and tag. */
const BYTES_MIN = 28

export interface Envelope {
  readonly keyId: string
  readonly check: string
  readonly bytes: Buffer
}

export function formatEnvelope({ keyId, check, bytes }: Envelope): JsonText {
  return `et2.${keyId}.${check}.${bytes.toString('base64url')}` as JsonText
}

/** Undefined for any other value. */
export function parseEnvelope(value: string): Envelope | undefined {
  const renewed = renewedEnvelope(value)
  const head = HEAD.exec(renewed)
  if (head === null) return undefined
  const [all, keyId, check] = head
  // Not by a pattern: one that goes through megabytes overflows the stack.
  const text = renewed.slice(all.length)
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.byteLength < BYTES_MIN || bytes.toString('base64url') !== text) return undefined
  return { keyId: keyId!, check: check!, bytes }
}

/** The id of the key that an encrypted value needs; undefined for any other value. */
export function neededKey(value: string): string | undefined {
  // A look at the first letters is enough for all that is plain.
  return value.startsWith('et') ? parseEnvelope(value)?.keyId : undefined
}

/** What is wrong where the key of a value is not among those given. */
export function missingKey(id: string, given: readonly string[] = []): string {
  const known = given.length === 0 ? 'none is given' : `given are ${given.join(', ')}`
  return `a value needs the encryption key ${id}; ${known}`
}

/** An envelope of the earlier release without its digest; any other value as it is. */
export function renewedEnvelope<T extends string>(value: T): T {
  return value.replace(EARLIER_HEAD, 'et2.$1.') as T
}

/** The digest in an envelope of the earlier release. */
export function digestInEnvelope(value: string): number | undefined {
  const head = EARLIER_HEAD.exec(value)
  return head === null ? undefined : Number.parseInt(head[2]!, 16)
}

import { createHmac, hkdfSync } from 'node:crypto'
import { invalid } from '../errors.ts'
import { checkObject } from '../limits.ts'
import { KEY_ID_PATTERN } from './envelope.ts'

/** One key, as it is kept where keys are kept. */
export interface EncryptionKey {
  /** Stored with each value, 1 to 32 letters, digits, `_` and `-`. Never give an id to another secret. */
  readonly id: string
  /** 32 random bytes, or their base64. */
  readonly secret: string | Uint8Array
}

/** Where keys come from; a function may ask a key management service. */
export type EncryptionKeys =
  | string
  | readonly EncryptionKey[]
  | (() => readonly EncryptionKey[] | Promise<readonly EncryptionKey[]>)

/** Encryption of what is stored outside of the primary. */
export interface EncryptionOptions {
  /**
   * The first key encrypts, all of them decrypt: to rotate, put a new one in front. As text: `id:base64`,
   * several separated by commas or line ends.
   */
  readonly keys: EncryptionKeys
}

/** A key ready for use. */
export interface DerivedKey {
  readonly id: string
  /** Tells another secret under the same id, and says nothing of the secret. */
  readonly check: string
  readonly encryption: Buffer
  readonly nonces: Buffer
}

const SECRET_BYTES = 32

/** Fetches and derives the keys, the one that encrypts first. */
export async function loadKeys(keys: EncryptionKeys): Promise<readonly DerivedKey[]> {
  const given = typeof keys === 'function' ? await keys() : keys
  const list = typeof given === 'string' ? parseKeys(given) : given
  if (!Array.isArray(list) || list.length === 0) {
    throw invalid('encryption.keys must have at least one key')
  }
  const derived = list.map((key: EncryptionKey, i) => deriveKey(key, `encryption.keys[${i}]`))
  if (new Set(derived.map(({ id }) => id)).size < derived.length) {
    throw invalid('encryption.keys must have different ids')
  }
  return derived
}

/** Messages name the place of a mistake and never the text: it is a secret. */
function parseKeys(text: string): readonly EncryptionKey[] {
  return text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .map((part, i) => {
      const at = part.indexOf(':')
      if (at <= 0) throw invalid(`encryption.keys: key ${i + 1} must be id:base64`)
      return { id: part.slice(0, at), secret: part.slice(at + 1) }
    })
}

function deriveKey(key: EncryptionKey, name: string): DerivedKey {
  checkObject(name, key)
  const { id, secret } = key
  if (typeof id !== 'string' || !KEY_ID_PATTERN.test(id)) {
    throw invalid(`${name}.id must be 1 to 32 letters, digits, _ and -`)
  }
  if (typeof secret !== 'string' && !ArrayBuffer.isView(secret)) {
    throw invalid(`${name}.secret must be base64 or bytes`)
  }
  const bytes = typeof secret === 'string' ? Buffer.from(secret, 'base64') : Buffer.from(secret)
  if (bytes.byteLength !== SECRET_BYTES) {
    throw invalid(`${name}.secret must be ${SECRET_BYTES} bytes, got ${bytes.byteLength}`)
  }
  const derive = (use: string): Buffer =>
    Buffer.from(hkdfSync('sha256', bytes, Buffer.alloc(0), `everthread et1 ${use}`, SECRET_BYTES))
  const check = createHmac('sha256', derive('check')).digest('hex').slice(0, 8)
  return { id, check, encryption: derive('encryption'), nonces: derive('nonces') }
}

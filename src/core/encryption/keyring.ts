import { createHmac, hkdfSync } from 'node:crypto'
import { invalid } from '../errors.ts'
import { fields, list, matching, needed } from '../option-kinds.ts'
import type { Option, OptionTable } from '../options.ts'
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
  readonly names: Buffer
}

const SECRET_BYTES = 32

/** Bytes or their base64. Messages never show it. */
const SECRET: Option<string | Uint8Array> = {
  takes: `${SECRET_BYTES} bytes, or their base64`,
  check(path, given) {
    if (typeof given !== 'string' && !(given instanceof Uint8Array)) {
      throw invalid(`${path} must be base64 or bytes`)
    }
    const { byteLength } = bytesOf(given)
    if (byteLength === SECRET_BYTES) return given
    throw invalid(`${path} must be ${SECRET_BYTES} bytes, got ${byteLength}`)
  },
}

const KEY_OPTIONS: OptionTable<EncryptionKey> = {
  id: needed(matching(KEY_ID_PATTERN, '1 to 32 letters, digits, _ and -')),
  secret: needed(SECRET),
}

const KEYS: Option<readonly EncryptionKey[]> = {
  takes: 'keys, as text or an array of { id, secret }',
  check(path, given) {
    const keys = list(fields(KEY_OPTIONS)).check(
      path,
      typeof given === 'string' ? parseKeys(given, path) : given,
    )
    if (keys.length === 0) throw invalid(`${path} must have at least one key`)
    if (new Set(keys.map(({ id }) => id)).size < keys.length) {
      throw invalid(`${path} must have different ids`)
    }
    return keys
  },
}

export const ENCRYPTION_OPTIONS: OptionTable<EncryptionOptions> = {
  keys: needed({
    takes: `${KEYS.takes}, or a function that returns such an array`,
    check: (path, given) =>
      typeof given === 'function' ? (given as () => []) : KEYS.check(path, given),
  }),
}

/** Fetches and derives the keys, the one that encrypts first. */
export async function loadKeys(keys: EncryptionKeys): Promise<readonly DerivedKey[]> {
  const given = typeof keys === 'function' ? await keys() : keys
  return KEYS.check('encryption.keys', given).map(deriveKey)
}

/** Messages name the place of a mistake and never the text: it is a secret. */
function parseKeys(text: string, path: string): readonly EncryptionKey[] {
  return text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .map((part, i) => {
      const at = part.indexOf(':')
      if (at <= 0) throw invalid(`${path}: key ${i + 1} must be id:base64`)
      return { id: part.slice(0, at), secret: part.slice(at + 1) }
    })
}

function deriveKey({ id, secret }: EncryptionKey): DerivedKey {
  const bytes = bytesOf(secret)
  const derive = (use: string): Buffer =>
    Buffer.from(hkdfSync('sha256', bytes, Buffer.alloc(0), `everthread et1 ${use}`, SECRET_BYTES))
  const check = createHmac('sha256', derive('check')).digest('hex').slice(0, 8)
  return {
    id,
    check,
    encryption: derive('encryption'),
    nonces: derive('nonces'),
    names: derive('names'),
  }
}

function bytesOf(secret: string | Uint8Array): Buffer {
  return typeof secret === 'string' ? Buffer.from(secret, 'base64') : Buffer.from(secret)
}

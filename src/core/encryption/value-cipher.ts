/*
 * AES-256-GCM for single values. What a value belongs to (kind, key, id, stamp) is authenticated with
 * it, so that a record that was moved elsewhere, or put under another stamp, is refused.
 *
 * The nonce is an HMAC of all that is encrypted and authenticated: the same operation gives the same
 * text, and no other one does, also when many processes share a key and none of them counts.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { messageOf, StorageError } from '../errors.ts'
import type { JsonText } from '../json.ts'
import type { Item } from '../merge.ts'
import { operationsOfItem } from '../merge.ts'
import type { Operation } from '../operation.ts'
import { resolve } from '../options.ts'
import { formatEnvelope, missingKey, parseEnvelope } from './envelope.ts'
import { ENCRYPTION_OPTIONS, loadKeys, type DerivedKey, type EncryptionOptions } from './keyring.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const ALGORITHM = 'aes-256-gcm'

type ValueOperation = Exclude<Operation, { kind: 'delete' } | { change: 'remove' }>

export class ValueCipher {
  readonly #options: EncryptionOptions | undefined
  #loading: Promise<void> | undefined
  #keys: ReadonlyMap<string, DerivedKey> = new Map()
  #newest: DerivedKey | undefined

  /** Without options there are no keys: values stay plain, and one that is encrypted is refused. */
  constructor(options?: EncryptionOptions) {
    this.#options = options === undefined ? undefined : resolve('', options, ENCRYPTION_OPTIONS)
  }

  /**
   * Fetches the keys, once; after a failure the next call tries again.
   *
   * @throws StorageError `INVALID_ARGUMENT`, or `UNAVAILABLE` when the function that has them fails.
   */
  async ready(): Promise<void> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = undefined
      throw error
    })
    await this.#loading
  }

  /**
   * A name of a text for each key, with the key's id, that of the key that encrypts first: who has no key learns
   * nothing of the text, not even by guessing. Without keys there is none.
   */
  namesOf(text: string): readonly string[] {
    return [...this.#keys.values()].map(({ id, names }) => {
      return `${id}-${createHmac('sha256', names).update(text).digest('hex')}`
    })
  }

  /** The operation with its value encrypted, whatever that looks like. */
  encrypt<T extends Operation>(operation: T): T {
    if (!('value' in operation) || this.#options === undefined) return operation
    const key = this.#newest
    if (key === undefined)
      throw new StorageError('CLOSED', 'the encryption keys were not fetched yet')
    const data = associatedData(operation as ValueOperation)
    const plain = Buffer.from(operation.value)
    const nonce = createHmac('sha256', key.nonces)
      .update(`${data.byteLength}:`)
      .update(data)
      .update(plain)
      .digest()
      .subarray(0, NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, key.encryption, nonce).setAAD(data)
    const text = Buffer.concat([cipher.update(plain), cipher.final()])
    const bytes = Buffer.concat([nonce, cipher.getAuthTag(), text])
    return { ...operation, value: formatEnvelope({ keyId: key.id, check: key.check, bytes }) }
  }

  /**
   * The operation with its plain value. A value that is not encrypted stays as it is: it was stored
   * before encryption was turned on.
   *
   * @throws StorageError `UNAVAILABLE` when its key is not among those given, `CORRUPT` when it was
   * changed or moved.
   */
  decrypt<T extends Operation>(operation: T): T {
    if (!('value' in operation)) return operation
    const envelope = parseEnvelope(operation.value)
    if (envelope === undefined) return operation
    const { keyId, check, bytes } = envelope
    const key = this.#keys.get(keyId)
    if (key === undefined) {
      throw new StorageError('UNAVAILABLE', missingKey(keyId, [...this.#keys.keys()]))
    }
    if (key.check !== check) {
      const text = `a value was encrypted with another secret than the one given as key ${keyId}`
      throw new StorageError('UNAVAILABLE', text)
    }
    const data = associatedData(operation as ValueOperation)
    try {
      const nonce = bytes.subarray(0, NONCE_BYTES)
      const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
      const decipher = createDecipheriv(ALGORITHM, key.encryption, nonce, {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(data).setAuthTag(tag)
      const text = bytes.subarray(NONCE_BYTES + TAG_BYTES)
      const plain = Buffer.concat([decipher.update(text), decipher.final()])
      return { ...operation, value: plain.toString('utf8') as JsonText }
    } catch (cause) {
      throw new StorageError(
        'CORRUPT',
        `an encrypted value was changed or moved: ${messageOf(cause)}`,
        { cause },
      )
    }
  }

  /** An item of this key with its plain values. */
  decryptItem(key: string, item: Item): Item {
    if (item.appended === undefined && item.edited === undefined) return item
    let { appended, edited } = item
    for (const operation of operationsOfItem(key, item)) {
      if (operation.change === 'append') appended = this.decrypt(operation).value
      else if (operation.change === 'edit') edited = this.decrypt(operation).value
    }
    return {
      ...item,
      ...(appended !== undefined && { appended }),
      ...(edited !== undefined && { edited }),
    }
  }

  async #load(): Promise<void> {
    if (this.#options === undefined) return
    let keys: readonly DerivedKey[]
    try {
      keys = await loadKeys(this.#options.keys)
    } catch (cause) {
      if (cause instanceof StorageError) throw cause
      const text = `the encryption keys could not be fetched: ${messageOf(cause)}`
      throw new StorageError('UNAVAILABLE', text, { cause })
    }
    this.#newest = keys[0]
    this.#keys = new Map(keys.map((key) => [key.id, key]))
  }
}

/**
 * Length prefixes keep the parts apart. An edit is bound to its stamp, which no other one has. `et1` stands
 * for how it is encrypted, which has not changed since.
 */
function associatedData(operation: ValueOperation): Buffer {
  const { kind, key, stamp } = operation
  const parts = kind === 'set' ? ['set', key, stamp] : [operation.change, key, operation.id, stamp]
  return Buffer.from(`et1${parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join('')}`)
}

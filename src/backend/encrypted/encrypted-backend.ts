import { judgePut, type Verdict } from '../../core/decide.ts'
import { digestOf, unfitDigest, type StampRange } from '../../core/digest.ts'
import type { ValueCipher } from '../../core/encryption/value-cipher.ts'
import type { Env } from '../../core/env.ts'
import { isStorageError, StorageError } from '../../core/errors.ts'
import type { JsonText } from '../../core/json.ts'
import type { Operation } from '../../core/operation.ts'
import { having } from '../../core/option-kinds.ts'
import { checkDatabaseSource } from '../check-source.ts'
import { parseDatabaseString } from '../connection-string.ts'
import { createDatabase } from '../registry.ts'
import type { DatabaseSource } from '../sources.ts'
import { ForwardingBackend } from '../forwarding-backend.ts'
import type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  Durability,
  ItemPage,
  ItemQuery,
  KeyRead,
  KeyReads,
  ReplicaBackend,
  SchemaState,
  FoundPage,
  SearchState,
  StoredOperation,
} from '../replica-backend.ts'
import { noSearch } from '../search/search-state.ts'
import { storedOperations } from '../stored-operations.ts'

const ENCRYPTED: SearchState = {
  state: 'none',
  reason: 'it is encrypted: it has no index of texts',
}
const CIPHER = having<ValueCipher>('a ValueCipher', ['ready', 'encrypt', 'decrypt'])

/**
 * A database whose values are encrypted before they reach it. Keys, ids and stamps stay as they are, so it
 * is listed, compared and reconciled like any other.
 */
export class EncryptedBackend extends ForwardingBackend {
  readonly #source: DatabaseSource
  readonly #cipher: ValueCipher
  readonly #field: string
  #engine: ReplicaBackend | undefined

  constructor(source: DatabaseSource, cipher: ValueCipher, env: Env, field = 'database') {
    super(env)
    checkDatabaseSource(source, field)
    CIPHER.check('cipher', cipher)
    this.#source = source
    this.#cipher = cipher
    this.#field = field
  }

  async connect(): Promise<void> {
    await this.#cipher.ready()
    await (await this.#create()).connect()
  }

  async disconnect(): Promise<void> {
    await this.#engine?.disconnect()
  }

  isConnected(): boolean {
    return this.#engine?.isConnected() === true
  }

  getBackendType(): string {
    return this.#engine?.getBackendType() ?? typeOf(this.#source)
  }

  getDurability(): Durability {
    const unknown = { durable: false, reasons: ['not connected yet'], unknown: true } as const
    const inner = this.#engine?.getDurability()
    if (inner === undefined) return unknown
    return { ...inner, reasons: [...inner.reasons, 'values are encrypted (AES-256-GCM)'] }
  }

  getServerIds(): readonly string[] {
    return this.#engine?.getServerIds?.() ?? []
  }

  override async apply(
    operations: readonly Operation[],
    options: ApplyOptions = {},
  ): Promise<ApplyResult> {
    const result = await super.apply(this.#encrypted(operations), options)
    const applied = result.applied.map((answer, i) => this.#plain(operations[i]!, answer))
    const wrong = applied.map((answer, i) => answer.outcome !== result.applied[i]!.outcome)
    if (!wrong.some(Boolean)) return { ...result, applied }
    // Refused for a content that is the same after all: what is new in the group is applied alone.
    const left = operations.filter((_, i) => !wrong[i])
    const rest = left.length === 0 ? undefined : await this.apply(left, options)
    const answers = [...(rest?.applied ?? [])]
    return {
      ...result,
      applied: applied.map((answer, i) => (wrong[i] ? answer : answers.shift()!)),
    }
  }

  override async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    return this.#plainRead(key, await super.readRegister(key, options))
  }

  override async readRegisters(keys: readonly string[], options?: CallOptions): Promise<KeyReads> {
    const { identity, reads } = await super.readRegisters(keys, options)
    return { identity, reads: reads.map((read, i) => this.#plainRead(keys[i]!, read)) }
  }

  override async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    return this.#plainPage(query.key, await super.readItems(query, options))
  }

  override async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    return this.#plainPage(key, await super.readItemsById(key, ids, options))
  }

  /** An index that could be searched would say what the values say. */
  override async search(): Promise<FoundPage> {
    throw noSearch(ENCRYPTED)
  }

  override getSearch(): SearchState {
    return ENCRYPTED
  }

  /** With the digests of the plain values, where what is stored fits its own. */
  override async *scanStored(
    range: StampRange,
    options?: CallOptions,
  ): AsyncGenerator<StoredOperation> {
    for await (const { operation, digest } of storedOperations(this.inner(), range, options)) {
      const plain = this.#decryptOrEmpty(operation)
      const isIntact = digestOf(operation) === digest && plain.isIntact
      const known = digestOf(plain.operation)
      yield { operation: plain.operation, digest: isIntact ? known : damagedDigest(digest, known) }
    }
  }

  override async repair(operations: readonly Operation[], options?: CallOptions): Promise<number> {
    return await super.repair(this.#encrypted(operations), options)
  }

  async getSchema(): Promise<SchemaState> {
    const engine = await this.#create()
    return (await engine.getSchema?.()) ?? { version: 0, migrations: [] }
  }

  async migrate(): Promise<void> {
    await (await this.#create()).migrate?.()
  }

  override async purge(options?: CallOptions): Promise<readonly string[]> {
    const engine = this.inner()
    if (engine.purge !== undefined) return await engine.purge(options)
    return [`encrypted values that ${engine.getBackendType()} keeps after their removal`]
  }

  async #create(): Promise<ReplicaBackend> {
    this.#engine ??= await createDatabase(this.#source, this.env, this.#field)
    return this.#engine
  }

  /** @internal */
  protected inner(): ReplicaBackend {
    if (this.#engine === undefined) {
      throw new StorageError('CLOSED', 'the encrypted database is not connected')
    }
    return this.#engine
  }

  #encrypted(operations: readonly Operation[]): Operation[] {
    return operations.map((operation) => this.#cipher.encrypt(operation))
  }

  /** The answer as it would be for plain values: two encryptions of one content look different. */
  #plain(operation: Operation, answer: Verdict): Verdict {
    if (answer.outcome !== 'conflict' && answer.outcome !== 'stands') return answer
    const item = this.#cipher.decryptItem(operation.key, answer.item)
    if (answer.outcome === 'stands' || operation.kind !== 'put') return { ...answer, item }
    const judged = judgePut(item, operation, answer.deletedThrough, true)
    return judged.outcome === 'stands'
      ? { ...answer, outcome: 'stands', item }
      : { ...answer, item }
  }

  #plainRead<Read extends Pick<KeyRead, 'register'>>(key: string, read: Read): Read {
    if (read.register === undefined) return read
    const { stamp, value } = this.#cipher.decrypt({ kind: 'set', key, ...read.register })
    return { ...read, register: { stamp, value } }
  }

  #plainPage(key: string, page: ItemPage): ItemPage {
    return { ...page, items: page.items.map((item) => this.#cipher.decryptItem(key, item)) }
  }

  /** A value that was changed or moved is empty. */
  #decryptOrEmpty(operation: Operation): { readonly operation: Operation; isIntact: boolean } {
    try {
      return { operation: this.#cipher.decrypt(operation), isIntact: true }
    } catch (error) {
      if (!isStorageError(error, 'CORRUPT') || !('value' in operation)) throw error
      return { operation: { ...operation, value: '' as JsonText }, isIntact: false }
    }
  }
}

/** Another digest than the one that would fit, of the same name as what is stored. */
function damagedDigest(stored: number, fitting: number): number {
  return stored === fitting ? unfitDigest(fitting) : stored
}

/** The engine that a source names, before it is there. */
function typeOf(source: DatabaseSource): string {
  if (typeof source === 'string') return parseDatabaseString(source, 'database').type
  if ('type' in source) return source.type === 'postgres' ? 'postgresql' : source.type
  return source.getBackendType()
}

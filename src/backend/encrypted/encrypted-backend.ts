import { judgePut, type Applied } from '../../core/decide.ts'
import { digestOf, unfitDigest, type BucketDigest, type StampRange } from '../../core/digest.ts'
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
import { ReplicaBase } from '../replica-base.ts'
import type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  CountRead,
  DamagedPart,
  Durability,
  FencedOptions,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  LatestPage,
  LatestQuery,
  Lease,
  LeaseRequest,
  ReplicaBackend,
  ReplicaState,
  SchemaState,
  StoredOperation,
} from '../replica-backend.ts'
import { storedOperations } from '../stored-operations.ts'

const CIPHER = having<ValueCipher>('a ValueCipher', ['ready', 'encrypt', 'decrypt'])

/**
 * A database whose values are encrypted before they reach it. Keys, ids and stamps stay as they are, so it
 * is listed, compared and reconciled like any other.
 */
export class EncryptedBackend extends ReplicaBase implements ReplicaBackend {
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

  async apply(operations: readonly Operation[], options: ApplyOptions = {}): Promise<ApplyResult> {
    const encrypted = operations.map((operation) => this.#cipher.encrypt(operation))
    const result = await this.#inner.apply(encrypted, options)
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

  async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    const read = await this.#inner.readRegister(key, options)
    if (read.register === undefined) return read
    const { stamp, value } = this.#cipher.decrypt({ kind: 'set', key, ...read.register })
    return { ...read, register: { stamp, value } }
  }

  async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    return this.#plainPage(query.key, await this.#inner.readItems(query, options))
  }

  async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    return this.#plainPage(key, await this.#inner.readItemsById(key, ids, options))
  }

  async countItems(key: string, options?: CallOptions): Promise<CountRead> {
    return await this.#inner.countItems(key, options)
  }

  async listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    return await this.#inner.listKeys(query, options)
  }

  async listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage> {
    return await this.#inner.listLatest(query, options)
  }

  async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    return await this.#inner.readState(writer, options)
  }

  async readHints(options?: CallOptions): Promise<HintList> {
    return await this.#inner.readHints(options)
  }

  async removeHints(hints: readonly Hint[], options?: FencedOptions): Promise<void> {
    await this.#inner.removeHints(hints, options)
  }

  async trust(identity: string, options?: FencedOptions): Promise<void> {
    await this.#inner.trust(identity, options)
  }

  async lease(request: LeaseRequest, options?: CallOptions): Promise<Lease | undefined> {
    const engine = this.#inner
    // Every process may do the work where the engine cannot keep a lease.
    return engine.lease === undefined ? { token: 0 } : await engine.lease(request, options)
  }

  async digest(
    range: StampRange,
    buckets: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    return await this.#inner.digest(range, buckets, options)
  }

  async *scan(range: StampRange, options?: CallOptions): AsyncGenerator<Operation> {
    for await (const operation of this.#inner.scan(range, options)) {
      yield this.#cipher.decrypt(operation)
    }
  }

  /** With the digests of the plain values, where what is stored fits its own. */
  async *scanStored(range: StampRange, options?: CallOptions): AsyncGenerator<StoredOperation> {
    for await (const { operation, digest } of storedOperations(this.#inner, range, options)) {
      const plain = this.#decryptOrEmpty(operation)
      const isIntact = digestOf(operation) === digest && plain.isIntact
      const known = digestOf(plain.operation)
      yield { operation: plain.operation, digest: isIntact ? known : damagedDigest(digest, known) }
    }
  }

  async repair(operations: readonly Operation[], options?: CallOptions): Promise<number> {
    const encrypted = operations.map((operation) => this.#cipher.encrypt(operation))
    return (await this.#inner.repair?.(encrypted, options)) ?? 0
  }

  async getSchema(): Promise<SchemaState> {
    const engine = await this.#create()
    return (await engine.getSchema?.()) ?? { version: 0, migrations: [] }
  }

  async migrate(): Promise<void> {
    await (await this.#create()).migrate?.()
  }

  async *checkParts(options?: CallOptions): AsyncGenerator<DamagedPart> {
    yield* this.#inner.checkParts?.(options) ?? []
  }

  async mendParts(options?: CallOptions): Promise<void> {
    await this.#inner.mendParts?.(options)
  }

  async purge(options?: CallOptions): Promise<readonly string[]> {
    const engine = this.#inner
    if (engine.purge !== undefined) return await engine.purge(options)
    return [`encrypted values that ${engine.getBackendType()} keeps after their removal`]
  }

  async #create(): Promise<ReplicaBackend> {
    this.#engine ??= await createDatabase(this.#source, this.env, this.#field)
    return this.#engine
  }

  get #inner(): ReplicaBackend {
    if (this.#engine === undefined) {
      throw new StorageError('CLOSED', 'the encrypted database is not connected')
    }
    return this.#engine
  }

  /** The answer as it would be for plain values: two encryptions of one content look different. */
  #plain(operation: Operation, answer: Applied): Applied {
    if (answer.outcome !== 'conflict' && answer.outcome !== 'stands') return answer
    const item = this.#cipher.decryptItem(operation.key, answer.item)
    if (answer.outcome === 'stands' || operation.kind !== 'put') return { ...answer, item }
    const judged = judgePut(item, operation, answer.deletedThrough, true)
    return judged.outcome === 'stands'
      ? { ...answer, outcome: 'stands', item }
      : { ...answer, item }
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

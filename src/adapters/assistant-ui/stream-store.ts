import { randomUUID } from 'node:crypto'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { isStorageError } from '../../core/errors.ts'
import { KeepAlive } from '../../core/keep-alive.ts'
import type { Stamp } from '../../core/stamp.ts'
import { byDefault, ms, oneOf } from '../../core/option-kinds.ts'
import { resolve, type OptionTable } from '../../core/options.ts'
import { DAY_MS, sleep } from '../../core/time.ts'
import type { Change } from '../../store/changes/change.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { adapterPrefix } from '../adapter-parts.ts'

/** What a stream's calls fail of, as assistant-ui has it: told apart by `code`. */
export class ResumableStreamError extends Error {
  readonly code: 'missing' | 'finalized' | 'invalid-id'

  constructor(code: ResumableStreamError['code'], message: string) {
    super(message)
    this.name = 'ResumableStreamError'
    this.code = code
  }
}

/** How streams are kept. */
export interface StreamStoreOptions {
  /** How long a stream is kept after its last chunk. Milliseconds, 1,000 to 30 days. Default: a day. */
  readonly ttlMs?: number
  /** How often a reader asks for more. Milliseconds, 10 to 60,000. Default: 100. */
  readonly pollMs?: number
  /**
   * Who elects the producer. `primary`: the primary alone, so that there is one whatever fails. `anywhere`: the backup
   * while the primary is out; processes that cannot see each other may both produce. Default: `primary`.
   */
  readonly decide?: 'primary' | 'anywhere'
}

/** Who a producer is. */
export interface StreamLease {
  readonly token: string
}

/** A `ResumableStreamStore`. Ids are 1 to 256 letters, digits, `_`, `.`, `:` and `-`. */
export interface StreamStore {
  /** The first caller becomes the producer, also among processes; all others consume. */
  acquire(streamId: string, options?: { readonly ttlMs?: number }): Promise<'producer' | 'consumer'>
  acquireLease(
    streamId: string,
    options?: { readonly ttlMs?: number },
  ): Promise<
    { readonly role: 'producer'; readonly lease: StreamLease } | { readonly role: 'consumer' }
  >
  /** Resolves when the chunk is acknowledged. One producer appends one chunk after the other. */
  append(streamId: string, chunk: Uint8Array, lease?: StreamLease): Promise<void>
  /** False: it had ended, or is another producer's. */
  finalize(
    streamId: string,
    status: 'done' | 'error',
    error?: string,
    lease?: StreamLease,
  ): Promise<boolean>
  /** What came behind the cursor, and then what comes, until the end; any number of readers in any process. */
  read(
    streamId: string,
    cursor: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly cursor: string; readonly chunk: Uint8Array }, void, undefined>
  status(streamId: string): Promise<'streaming' | 'done' | 'error' | 'missing'>
  delete(streamId: string): Promise<void>
}

/** What is known of a stream beside its chunks. */
interface Head {
  readonly token: string
  readonly ttlMs: number
  readonly expiresAt: number
  /** How many chunks it has, once that is known. */
  readonly count?: number
  readonly status: 'streaming' | 'done' | 'error'
  readonly error?: string
}

/** A chunk with its number, from 1. */
interface Chunk {
  readonly n: number
  /** Base64. */
  readonly b: string
}

/** What a producer knows of its stream. */
interface Known {
  readonly head: Head
  readonly stamp: Stamp
  readonly count: number
}

const TTL = ms(1_000, 30 * DAY_MS)
const STREAM_STORE: OptionTable<StreamStoreOptions, 'ttlMs' | 'pollMs' | 'decide'> = {
  ttlMs: byDefault(DAY_MS, TTL),
  pollMs: byDefault(100, ms(10, 60_000)),
  decide: byDefault('primary', oneOf('primary', 'anywhere')),
}
const ACQUIRE: OptionTable<{ readonly ttlMs?: number }> = { ttlMs: TTL }

const ID = /^[A-Za-z0-9_.:-]{1,256}$/
const PAGE = 100
/** Producers that are remembered; the others read what they need. */
const KNOWN_MAX = 10_000

/**
 * Streams whose chunks any process can read again, in a history's store, which the caller opens and closes. A stream
 * lasts at most its `ttlMs`.
 */
export function streamStore(history: ChatHistory, options: StreamStoreOptions = {}): StreamStore {
  return new Streams(history.store, adapterPrefix(history.tenant, 'assistant-ui'), options)
}

class Streams implements StreamStore {
  readonly #store: StrategicStorageManager
  readonly #prefix: string
  readonly #options: Required<StreamStoreOptions>
  readonly #known = new Map<string, Known>()

  constructor(store: StrategicStorageManager, prefix: string, options: StreamStoreOptions) {
    this.#store = store
    this.#prefix = prefix
    this.#options = resolve('', options, STREAM_STORE)
  }

  async acquire(
    id: string,
    options?: { readonly ttlMs?: number },
  ): Promise<'producer' | 'consumer'> {
    return (await this.acquireLease(id, options)).role
  }

  async acquireLease(
    id: string,
    options?: { readonly ttlMs?: number },
  ): Promise<{ role: 'producer'; lease: StreamLease } | { role: 'consumer' }> {
    const key = this.#head(id)
    const { decide } = this.#options
    const { ttlMs = this.#options.ttlMs } = resolve('', options, ACQUIRE)
    const token = randomUUID()
    const head: Head = { token, ttlMs, status: 'streaming', expiresAt: this.#expiry(ttlMs) }
    try {
      const { results } = await this.#store.write([setOf(key, head)], {
        if: [{ key, absent: true }],
        decide,
      })
      this.#remember(id, { head, stamp: results[0]!.stamp!, count: 0 })
      return { role: 'producer', lease: { token } }
    } catch (error) {
      if (!isStorageError(error, 'CONFLICT')) throw error
    }
    // An earlier try of the same call may be what stands.
    const standing = await this.#store.getEntry<Head>(key)
    if (standing?.value.token !== token) return { role: 'consumer' }
    this.#remember(id, { head, stamp: standing.stamp, count: 0 })
    return { role: 'producer', lease: { token } }
  }

  async append(id: string, chunk: Uint8Array, lease?: StreamLease): Promise<void> {
    const b = Buffer.from(chunk).toString('base64')
    const key = this.#head(id)
    for (let isAgain = false; ; isAgain = true) {
      const { head, stamp, count } = await this.#producing(id, lease, isAgain)
      const { ttlMs, token } = head
      const n = count + 1
      const value: Chunk = { n, b }
      const expiresAt = this.#store.now() + 3 * ttlMs
      const changes: Change[] = [{ kind: 'append', key: this.#chunks(id, token), value, expiresAt }]
      const isOld = head.expiresAt < this.#store.now() + ttlMs
      const next = isOld ? { ...head, expiresAt: this.#expiry(ttlMs) } : head
      if (isOld) changes.push(setOf(key, next))
      try {
        const { results } = await this.#store.write(changes, { if: [{ key, stamp }] })
        this.#remember(id, { head: next, stamp: results[1]?.stamp ?? stamp, count: n })
        return
      } catch (error) {
        // What was written is not known: the next call looks.
        this.#known.delete(id)
        if (isAgain || !isStorageError(error, 'CONFLICT')) throw error
      }
    }
  }

  async finalize(
    id: string,
    status: 'done' | 'error',
    error = 'Stream errored',
    lease?: StreamLease,
  ): Promise<boolean> {
    const key = this.#head(id)
    for (let isAgain = false; ; isAgain = true) {
      const known = await this.#look(id, isAgain)
      if (known === undefined) throw missing(id)
      const { head, stamp, count } = known
      if (lease !== undefined && lease.token !== head.token) return false
      if (head.status !== 'streaming') return false
      const expiresAt = this.#expiry(head.ttlMs)
      const ended: Head = {
        ...head,
        expiresAt,
        status,
        count,
        ...(status === 'error' && { error }),
      }
      try {
        await this.#store.write([setOf(key, ended)], { if: [{ key, stamp }] })
        this.#known.delete(id)
        return true
      } catch (failure) {
        this.#known.delete(id)
        if (isAgain || !isStorageError(failure, 'CONFLICT')) throw failure
      }
    }
  }

  async *read(
    id: string,
    cursor: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ cursor: string; chunk: Uint8Array }, void, undefined> {
    const { env } = this.#store
    const key = this.#head(id)
    let head = await this.#store.get<Head>(key)
    if (head === undefined) throw missing(id)
    let { n, after } = placeOf(cursor)
    while (!signal.aborted) {
      const query = { key: this.#chunks(id, head.token), limit: PAGE, order: 'oldest' } as const
      const { items } = await this.#store.getItems<Chunk>({ ...query, ...(after && { after }) })
      const before = n
      for (const { value, position } of items) {
        if (signal.aborted) return
        if (value.n > n + 1) break
        if (value.n <= n) continue
        n = value.n
        after = position
        yield { cursor: `${n}.${position}`, chunk: Uint8Array.from(Buffer.from(value.b, 'base64')) }
      }
      if (n > before) continue
      if (head.status !== 'streaming' && n >= (head.count ?? 0)) {
        if (head.status === 'error') throw new Error(head.error)
        return
      }
      if (head.status === 'streaming' || n < (head.count ?? 0)) {
        const next: Head | undefined = await this.#store.get<Head>(key)
        if (next?.token !== head.token) {
          if (head.expiresAt <= this.#store.now()) throw new Error('Stream expired')
          return
        }
        const isNews = next.status !== head.status
        head = next
        if (isNews) continue
      }
      await KeepAlive.of(env).during(() => sleep(env, this.#options.pollMs, signal))
    }
  }

  async status(id: string): Promise<'streaming' | 'done' | 'error' | 'missing'> {
    return (await this.#store.get<Head>(this.#head(id)))?.status ?? 'missing'
  }

  async delete(id: string): Promise<void> {
    this.#known.delete(id)
    const head = await this.#store.get<Head>(this.#head(id))
    const keys = [this.#head(id), ...(head === undefined ? [] : [this.#chunks(id, head.token)])]
    await this.#store.deleteMany(keys)
  }

  /** @throws ResumableStreamError unless the stream is this producer's, and has not ended. */
  async #producing(id: string, lease: StreamLease | undefined, isAgain: boolean): Promise<Known> {
    const known = await this.#look(id, isAgain)
    if (known === undefined) throw missing(id)
    if (lease !== undefined && lease.token !== known.head.token) {
      throw new ResumableStreamError('missing', `stream ${id} has another producer`)
    }
    if (known.head.status === 'streaming') return known
    throw new ResumableStreamError('finalized', `stream ${id} has ended`)
  }

  async #look(id: string, isAgain: boolean): Promise<Known | undefined> {
    const known = this.#known.get(id)
    if (known !== undefined && !isAgain && known.head.expiresAt > this.#store.now()) return known
    const entry = await this.#store.getEntry<Head>(this.#head(id))
    if (entry === undefined) return undefined
    const { value: head, stamp } = entry
    const key = this.#chunks(id, head.token)
    const { items } = await this.#store.getItems<Chunk>({ key, limit: 1, order: 'newest' })
    return { head, stamp, count: items[0]?.value.n ?? 0 }
  }

  #remember(id: string, known: Known): void {
    this.#known.delete(id)
    this.#known.set(id, known)
    const [first] = this.#known.keys()
    if (this.#known.size > KNOWN_MAX && first !== undefined) this.#known.delete(first)
  }

  /** Half as long again: it is renewed with a chunk only when less than all of it is left. */
  #expiry(ttlMs: number): number {
    return this.#store.now() + Math.ceil(ttlMs * 1.5)
  }

  #head(id: string): string {
    if (ID.test(id)) return `${this.#prefix}stream/${id}`
    throw new ResumableStreamError('invalid-id', `stream ids must match ${ID.source}, got ${id}`)
  }

  #chunks(id: string, token: string): string {
    return `${this.#prefix}chunks/${id}/${token}`
  }
}

function setOf(key: string, head: Head): Change {
  return { kind: 'set', key, value: head, expiresAt: head.expiresAt }
}

function missing(id: string): ResumableStreamError {
  return new ResumableStreamError('missing', `there is no stream ${id}`)
}

/** `12.0190…`: the number of a chunk, and its position. What is no cursor is the beginning. */
function placeOf(cursor: string): { n: number; after: Stamp | undefined } {
  const match = /^(\d+)\.(.+)$/.exec(cursor)
  if (match === null) return { n: 0, after: undefined }
  return { n: Number(match[1]), after: match[2] as Stamp }
}

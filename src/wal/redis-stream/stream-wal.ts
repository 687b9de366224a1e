import { connectError, isRefusedForGood } from '../../backend/redis/connection/redis-error.ts'
import type { Env } from '../../core/env.ts'
import type { ThroughOf } from '../../core/erase.ts'
import { isStorageError, StorageError } from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { stampMs } from '../../core/stamp.ts'
import { ACKNOWLEDGED } from '../entry-table.ts'
import { checkNotEmpty, IndexedWal } from '../indexed-wal.ts'
import type { Lsn, RefusedEntry, SharedWal, WalAppendOptions, WalEntry } from '../wal.ts'
import type { WalErased, WalOpened, WalStats } from '../wal.ts'
import { eraseStream } from './erase-stream.ts'
import { loadEntries } from './fetch-operations.ts'
import { OpenStream } from './open-stream.ts'
import type { RedisStreamWalParts, ResolvedRedisStreamOptions } from './options.ts'
import { headOf } from './partitions.ts'
import { QUARANTINE } from './scripts/scripts.ts'
import { LETTER } from './settler.ts'
import { streamDurability } from './stream-durability.ts'

/**
 * A log in Redis streams that several processes share. `SPEC.md` beside this file has the protocol, and
 * why nothing acknowledged is lost.
 */
export class RedisStreamWal extends IndexedWal {
  readonly #options: ResolvedRedisStreamOptions
  readonly #parts: RedisStreamWalParts
  /** The one that was opened last. */
  #stream: OpenStream | undefined
  #onForgotten: (places: readonly DatabasePlace[]) => void = () => {}

  constructor(env: Env, options: ResolvedRedisStreamOptions, parts: RedisStreamWalParts) {
    super(env)
    this.#options = options
    this.#parts = parts
  }

  override readonly shared: SharedWal = {
    pendingKeys: async (place) => {
      const own = [...this.index.pendingKeys(place)]
      const stream = this.#stream
      const found = await stream?.link.ifReachable(() => stream.reader.pendingKeys(place))
      for (const key of own) found?.add(key)
      return found ?? own
    },
    isDurable: () => streamDurability(this.#stream).durable,
    serverIds: () => this.#stream?.link.runIds ?? [],
  }

  async open(writer: string): Promise<WalOpened> {
    if (this.isOpen) throw new StorageError('CONFLICT', 'the log is open already')
    const stream = new OpenStream({
      ...this.#parts,
      env: this.env,
      options: this.#options,
      writer,
      onReadable: (place) => this.notify(place),
      onForgotten: (places) => this.#onForgotten(places),
    })
    try {
      await stream.open()
    } catch (error) {
      if (isStorageError(error) && !isRefusedForGood(error)) throw error
      throw connectError('redis-stream', this.#parts.where ?? 'its address', error)
    }
    this.#stream = stream
    this.index = stream.entries.index
    this.isOpen = true
    const head = headOf(stream.partitions)
    return {
      ceilingMs: head === undefined ? 0 : stampMs(head) + 1,
      formerWriters: stream.former,
      ...(head !== undefined && { head }),
    }
  }

  async append(operations: readonly Operation[], options: WalAppendOptions = {}): Promise<Lsn> {
    const stream = this.opened(this.#stream)
    checkNotEmpty(operations)
    return await stream.append(operations, options)
  }

  override async pending(place: DatabasePlace, key: string): Promise<readonly Operation[]> {
    const { link, reader, settler } = this.opened(this.#stream)
    const own = super.pending(place, key)
    const known = settler.untold(place)
    const found = await link.ifReachable(async () => {
      if (settler.resends(place)) await settler.flush()
      return await reader.pending(place, key, known)
    })
    // Out of reach, what this process knows of is all there is.
    if (found === undefined) return await own
    own.catch(() => {})
    return found
  }

  override async read(place: DatabasePlace, limit: number): Promise<readonly WalEntry[]> {
    const lsns = await this.opened(this.#stream).read(place, limit)
    return lsns.length === 0 ? [] : await this.load(lsns)
  }

  override readable(place: DatabasePlace): number {
    return this.index.readable(place) + (this.#stream?.isClaimable(place) === true ? 1 : 0)
  }

  override resend(place: DatabasePlace): void {
    super.resend(place)
    if (this.#stream === undefined) return
    const { entries, settler } = this.#stream
    for (const entry of entries.all()) entries.lacks(place, entry)
    settler.resend(place)
  }

  onForgotten(listener: (places: readonly DatabasePlace[]) => void): void {
    this.#onForgotten = listener
  }

  async quarantine(place: DatabasePlace, lsn: Lsn, reason: string): Promise<void> {
    const { link, entries } = this.opened(this.#stream)
    const entry = entries.get(lsn)
    if (entry === undefined || this.index.state(place, lsn) === ACKNOWLEDGED) return
    const args = [LETTER[place], entry.number, JSON.stringify(reason)]
    await link.call(entry.partition, QUARANTINE, args)
    this.index.quarantine(place, lsn)
  }

  async retryQuarantined(place: DatabasePlace): Promise<number> {
    const count = await this.opened(this.#stream).retryQuarantined(place)
    if (count > 0) this.notify(place)
    return count
  }

  async refused(place: DatabasePlace): Promise<readonly RefusedEntry[]> {
    return await this.opened(this.#stream).reader.refused(place)
  }

  async erase(throughOf: ThroughOf): Promise<WalErased> {
    return await eraseStream(this.env, this.opened(this.#stream), throughOf)
  }

  override isFull(): boolean {
    return this.#stream !== undefined && this.#stream.bytes >= this.#options.pendingBytesMax
  }

  override formerWriters(): readonly string[] {
    return this.#stream?.former ?? []
  }

  stats(): WalStats {
    const stream = this.#stream
    const { durable, reasons } = streamDurability(stream)
    const isUp = stream?.link.ready === true
    const lastError = isUp ? undefined : stream?.router.lastError
    return {
      ...this.indexStats(),
      type: 'redis-stream',
      durable,
      reasons,
      state: !this.isOpen ? 'closed' : isUp ? 'open' : 'failed',
      ...(lastError !== undefined && { lastError }),
      bytes: stream?.bytes ?? 0,
      pendingBytesMax: this.#options.pendingBytesMax,
      syncs: 0,
    }
  }

  async close(): Promise<void> {
    if (!this.isOpen) return
    this.isOpen = false
    await this.#stream?.close()
  }

  protected override async load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]> {
    const { link, entries } = this.opened(this.#stream)
    return await loadEntries(link, entries, lsns)
  }

  protected override onAcknowledged(place: DatabasePlace, lsns: readonly Lsn[]): void {
    this.#stream?.acknowledge(place, lsns)
  }
}

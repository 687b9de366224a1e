import { refreshSettings } from '../../backend/redis/connection/eviction.ts'
import type { RedisRouter } from '../../backend/redis/connection/router.ts'
import type { Env } from '../../core/env.ts'
import type { ThroughOf } from '../../core/erase.ts'
import { invalid, isStorageError, messageOf, StorageError } from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { stampMs } from '../../core/stamp.ts'
import { sleep } from '../../core/time.ts'
import { ACKNOWLEDGED, HELD, PENDING, type EntryState } from '../entry-table.ts'
import { IndexedWal } from '../indexed-wal.ts'
import { PendingIndex } from '../pending-index.ts'
import type { Lsn, RefusedEntry, SharedWal, WalAppendOptions, WalEntry } from '../wal.ts'
import type { WalErased, WalOpened, WalStats } from '../wal.ts'
import { appendAgain } from './append-again.ts'
import { appendGroup, type AppendTarget } from './append-group.ts'
import {
  adoptable,
  lackedBy,
  numberAdopted,
  CLAIM_ENTRIES,
  claimEntries,
  retryEntries,
  type Claimed,
} from './claims.ts'
import { StreamEntries, type StreamEntry } from './entries.ts'
import { eraseStream } from './erase-stream.ts'
import { loadEntries } from './fetch-operations.ts'
import { groupOf, type Group } from './group.ts'
import { StreamLink } from './link.ts'
import type { RedisStreamWalParts, ResolvedRedisStreamOptions } from './options.ts'
import { ownersOf } from './owners.ts'
import { bytesOf, headOf, lookAtPartitions, pollPartitions } from './partitions.ts'
import type { ClaimOptions, Partition } from './partitions.ts'
import { QUARANTINE } from './scripts/scripts.ts'
import { LETTER, Settler } from './settler.ts'
import { SharedReader } from './shared-reader.ts'
import { streamDurability } from './stream-durability.ts'
import { sayAlive } from './writers.ts'

/** Entries that a poll asks about, for each place. */
const CHECK_ENTRIES = 200
/** The settings of the server are read again every so many polls. */
const REFRESH_POLLS = 10

/**
 * A log in Redis streams that several processes share. `SPEC.md` beside this file has the protocol, and
 * why nothing acknowledged is lost.
 */
export class RedisStreamWal extends IndexedWal {
  readonly #options: ResolvedRedisStreamOptions
  readonly #parts: RedisStreamWalParts
  #entries: StreamEntries
  #partitions: readonly Partition[] = []
  #router: RedisRouter | undefined
  #link: StreamLink | undefined
  #settler: Settler | undefined
  #reader: SharedReader | undefined
  #writer = ''
  #consumer = ''
  #lastLsn: Lsn = 0
  #groups = 0
  #former: readonly string[] = []
  readonly #claimable: Record<DatabasePlace, boolean> = { primary: false, backup: false }
  readonly #appending = new Set<Promise<unknown>>()
  #stop = new AbortController()
  #polling: Promise<void> | undefined
  /** Entries that the server lost and memory did not have any more. */
  #forgotten = 0

  constructor(env: Env, options: ResolvedRedisStreamOptions, parts: RedisStreamWalParts) {
    super(env)
    this.#options = options
    this.#parts = parts
    this.#entries = new StreamEntries(options.memoryBytesMax)
  }

  override readonly shared: SharedWal = {
    pendingKeys: async (place) => {
      const own = [...this.index.pendingKeys(place)]
      const found = await this.#ifReachable(() => this.#reader!.pendingKeys(place))
      for (const key of own) found?.add(key)
      return found ?? own
    },
    isDurable: () => streamDurability(this.#router, this.#forgotten).durable,
    serverIds: () => this.#link?.runIds ?? [],
  }

  async open(writer: string): Promise<WalOpened> {
    if (this.isOpen) throw new StorageError('CONFLICT', 'the log is open already')
    this.#writer = writer
    this.#partitions = []
    this.#entries = new StreamEntries(this.#options.memoryBytesMax)
    const router = this.#parts.makeRouter(this.env)
    const { keyPrefix, timeoutMs } = this.#parts
    const link = new StreamLink({
      env: this.env,
      router,
      keyPrefix,
      timeoutMs,
      look: (current) => this.#look(current),
    })
    try {
      await link.connect()
      this.#router = router
      this.#link = link
      const count = (): number => this.#partitions.length
      this.#settler = new Settler(link, this.env.logger, count)
      this.#reader = new SharedReader(link, count)
      this.#former = await sayAlive(link, writer, 'open')
      await this.#adopt()
    } catch (error) {
      link.close()
      throw error
    }
    this.isOpen = true
    this.#stop = new AbortController()
    this.#polling = this.#poll(this.#stop.signal)
    const head = headOf(this.#partitions)
    return {
      ceilingMs: head === undefined ? 0 : stampMs(head) + 1,
      formerWriters: this.#former,
      ...(head !== undefined && { head }),
    }
  }

  async append(operations: readonly Operation[], options: WalAppendOptions = {}): Promise<Lsn> {
    this.checkOpen()
    if (operations.length === 0) throw invalid('operations must not be empty')
    const call = this.#append(operations, options)
    this.#appending.add(call)
    try {
      return await call
    } finally {
      this.#appending.delete(call)
    }
  }

  override async pending(place: DatabasePlace, key: string): Promise<readonly Operation[]> {
    this.checkOpen()
    const own = super.pending(place, key)
    const known = this.#settler!.untold(place)
    const found = await this.#ifReachable(async () => {
      if (this.#settler!.resends(place)) await this.#settler!.flush()
      return await this.#reader!.pending(place, key, known)
    })
    // Out of reach, what this process knows of is all there is.
    if (found === undefined) return await own
    own.catch(() => {})
    return found
  }

  override async read(place: DatabasePlace, limit: number): Promise<readonly WalEntry[]> {
    this.checkOpen()
    const lsns = await this.#mine(place, this.index.read(place, limit), true)
    if (lsns.length < limit && this.#claimable[place] && this.#link!.ready) {
      lsns.push(...(await this.#takeOver(place, limit - lsns.length)))
    }
    return lsns.length === 0 ? [] : await this.load(lsns.sort((a, b) => a - b))
  }

  override readable(place: DatabasePlace): number {
    return this.index.readable(place) + (this.#claimable[place] ? 1 : 0)
  }

  override resend(place: DatabasePlace): void {
    super.resend(place)
    for (const entry of this.#entries.all()) this.#entries.lacks(place, entry)
    this.#settler?.resend(place)
  }

  async quarantine(place: DatabasePlace, lsn: Lsn, reason: string): Promise<void> {
    this.checkOpen()
    const entry = this.#entries.get(lsn)
    if (entry === undefined || this.index.state(place, lsn) === ACKNOWLEDGED) return
    const args = [LETTER[place], entry.number, JSON.stringify(reason)]
    await this.#link!.call(entry.partition, QUARANTINE, args)
    this.index.quarantine(place, lsn)
  }

  async retryQuarantined(place: DatabasePlace): Promise<number> {
    this.checkOpen()
    let count = 0
    for (const partition of this.#partitions.keys()) {
      for await (const entry of retryEntries(this.#link!, this.#claimOptions(), partition, place)) {
        const known = this.#entries.find(place, partition, entry.number)
        if (known !== undefined) this.index.unquarantine(place, known.lsn)
        this.#adoptOne(entry, lackedBy(place))
        count++
      }
    }
    if (count > 0) this.notify(place)
    return count
  }

  async refused(place: DatabasePlace): Promise<readonly RefusedEntry[]> {
    this.checkOpen()
    return await this.#reader!.refused(place)
  }

  async erase(throughOf: ThroughOf): Promise<WalErased> {
    this.checkOpen()
    const server = { link: this.#link!, router: this.#router! }
    return await eraseStream(this.env, server, this.#partitions, this.#entries, throughOf)
  }

  override isFull(): boolean {
    return this.#bytes() >= this.#options.pendingBytesMax
  }

  override formerWriters(): readonly string[] {
    return this.#former
  }

  stats(): WalStats {
    const now = this.env.now()
    const { durable, reasons } = streamDurability(this.#router, this.#forgotten)
    return {
      type: 'redis-stream',
      durable,
      reasons,
      state: !this.isOpen ? 'closed' : this.#link!.ready ? 'open' : 'failed',
      entries: this.index.entries,
      bytes: this.#bytes(),
      pendingBytesMax: this.#options.pendingBytesMax,
      head: this.#lastLsn,
      syncs: 0,
      places: {
        primary: this.index.stats('primary', now),
        backup: this.index.stats('backup', now),
      },
    }
  }

  async close(): Promise<void> {
    if (!this.isOpen) return
    this.isOpen = false
    this.#stop.abort()
    await Promise.allSettled(this.#appending)
    await this.#polling
    if (this.#link!.connected) {
      await this.#settler!.flush()
      // Whoever opens the log next may take over at once.
      await this.#ifReachable(() => sayAlive(this.#link!, this.#writer, 'end'))
    }
    this.#link!.close()
  }

  protected override async load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]> {
    return await loadEntries(this.#link!, this.#entries, lsns)
  }

  protected override onAcknowledged(place: DatabasePlace, lsns: readonly Lsn[]): void {
    for (const lsn of lsns) {
      const entry = this.#entries.get(lsn)
      if (entry === undefined || !this.#entries.settle(place, entry)) continue
      this.#settler!.acknowledge(place, entry)
      this.#dropIfDone(entry)
    }
  }

  async #append(
    operations: readonly Operation[],
    { hold = [], fresh = false }: WalAppendOptions,
  ): Promise<Lsn> {
    const link = this.#link!
    if (!link.connected) {
      throw new StorageError('UNAVAILABLE', 'the log’s Redis is away', { place: 'wal' })
    }
    const group = groupOf(operations, this.#partitions.length)
    const name = fresh ? group.name : `${group.name}+${this.#writer}.${++this.#groups}`
    const number = await this.#appendWithRoom(operations, { ...group, name }, fresh)
    const known = fresh ? this.#entries.findAny(group.home, number) : undefined
    if (known !== undefined) return known.lsn
    const lsn = ++this.#lastLsn
    const state = (place: DatabasePlace): EntryState => (hold.includes(place) ? HELD : PENDING)
    this.#add(
      { ...group, group: name, lsn, partition: group.home, number, operations },
      { primary: state('primary'), backup: state('backup') },
    )
    for (const place of DATABASE_PLACES) if (!hold.includes(place)) this.notify(place)
    return lsn
  }

  async #appendWithRoom(
    operations: readonly Operation[],
    group: Group,
    fresh: boolean,
  ): Promise<string> {
    const target = (): AppendTarget => ({
      link: this.#link!,
      consumer: this.#consumer,
      identity: (partition) => this.#partitions[partition]!.identity,
      bytesMax: this.#options.pendingBytesMax - bytesOf(this.#partitions, group.home),
    })
    try {
      return await appendGroup(target(), operations, group, { fresh })
    } catch (error) {
      // What the server was not told yet may make the room.
      if (!isStorageError(error, 'OVERLOADED') || this.#settler!.isIdle) throw error
      await this.#settler!.flush()
      return await appendGroup(target(), operations, group, { fresh })
    }
  }

  #add(
    entry: Omit<StreamEntry, 'touchedAt'> & Group,
    states: Readonly<Record<DatabasePlace, EntryState>>,
  ): void {
    const { lsn, partition, number, group, keys, bytes, operations } = entry
    this.#lastLsn = Math.max(this.#lastLsn, lsn)
    const lacking = DATABASE_PLACES.filter((place) => states[place] !== ACKNOWLEDGED)
    const touchedAt = this.env.monotonic()
    this.#entries.add(
      { lsn, partition, number, group, keys, bytes, operations, touchedAt },
      lacking,
    )
    const names = [...keys.values()].flatMap((list) => list.map(({ key }) => key))
    this.index.add({ lsn, keys: names, bytes, offset: 0, atMs: this.env.now(), states })
    const at = this.#partitions[partition]!
    at.number = Math.max(at.number, Number(number))
    at.head = entry.head > at.head ? entry.head : at.head
  }

  /** Of these entries those that this process should bring; the place has, or gets, the others. */
  async #mine(place: DatabasePlace, lsns: readonly Lsn[], wanted: boolean): Promise<Lsn[]> {
    const link = this.#link!
    const dueAt = this.env.monotonic() - this.#options.leaseMs / 2
    const mine: Lsn[] = []
    const stale: StreamEntry[] = []
    for (const lsn of lsns) {
      const entry = this.#entries.get(lsn)
      if (entry === undefined) continue
      if (entry.touchedAt > dueAt || !link.ready) mine.push(lsn)
      else stale.push(entry)
    }
    if (stale.length === 0) return mine
    const owners = await this.#ifReachable(() =>
      ownersOf(link, this.#claimOptions(), place, stale, wanted),
    )
    for (const entry of stale) {
      const owner = owners?.get(entry) ?? 'own'
      if (owner === 'none') this.#hasIt(place, entry)
      if (owner !== 'own') continue
      if (wanted) entry.touchedAt = this.env.monotonic()
      mine.push(entry.lsn)
    }
    return mine
  }

  /** Another process brought it. */
  #hasIt(place: DatabasePlace, entry: StreamEntry): void {
    this.#entries.settle(place, entry)
    this.index.acknowledge(place, entry.lsn)
    this.#dropIfDone(entry)
  }

  #dropIfDone(entry: StreamEntry): void {
    if (!this.index.isDone(entry.lsn)) return
    this.index.drop(entry.lsn)
    this.#entries.drop(entry)
  }

  async #takeOver(place: DatabasePlace, limit: number): Promise<Lsn[]> {
    const taken: Lsn[] = []
    this.#claimable[place] = false
    for (const partition of this.#partitions.keys()) {
      const room = Math.min(CLAIM_ENTRIES, limit - taken.length)
      if (room <= 0) {
        this.#claimable[place] = true
        break
      }
      const claimed = await claimEntries(this.#link!, this.#claimOptions(), partition, place, room)
      if (claimed.length === room) this.#claimable[place] = true
      for (const entry of claimed) {
        const lsn = this.#adoptOne(entry, lackedBy(place))
        if (lsn !== undefined) taken.push(lsn)
      }
    }
    return taken
  }

  /** Undefined when the entry is this process's anyway. */
  #adoptOne(
    { partition, number, operations, group, bytes }: Claimed,
    states: Readonly<Record<DatabasePlace, EntryState>>,
    lsn: Lsn = this.#lastLsn + 1,
  ): Lsn | undefined {
    const place = DATABASE_PLACES.find((name) => states[name] !== ACKNOWLEDGED)
    const known = place && this.#entries.find(place, partition, number)
    if (known !== undefined) {
      known.touchedAt = this.env.monotonic()
      return undefined
    }
    const split = groupOf(operations, this.#partitions.length)
    this.#add({ ...split, group, bytes, lsn, partition, number, operations }, states)
    return lsn
  }

  /** Takes over what ended processes left, and learns of what places refuse. */
  async #adopt(): Promise<void> {
    const count = this.#partitions.length
    const found = await adoptable(this.#link!, this.#claimOptions(), count)
    const { first, last, numbered } = numberAdopted(found, this.#partitions)
    this.index = new PendingIndex(first - 1)
    this.#lastLsn = first - 1
    for (const { entry, states, lsn } of numbered) this.#adoptOne(entry, states, lsn)
    this.#lastLsn = Math.max(this.#lastLsn, last)
    this.index.skipTo(this.#lastLsn)
  }

  #claimOptions(): ClaimOptions {
    const { leaseMs } = this.#options
    return { consumer: this.#consumer, leaseMs, ended: this.#former }
  }

  /** After each new connection: partitions, scripts, and what the server may have lost. */
  async #look(link: StreamLink): Promise<void> {
    const { partitions } = this.#options
    const { partitions: found, changed } = await lookAtPartitions(
      this.env,
      link,
      partitions,
      this.#partitions,
    )
    // Each connection is a consumer of its own: what an earlier one left without an answer is not its.
    this.#consumer = `${this.#writer}/${Buffer.from(this.env.randomBytes(6)).toString('hex')}`
    const lost = [...this.#entries.all()].filter(({ partition }) => changed.includes(partition))
    if (changed.length > 0) {
      this.env.logger.warn({ partitions: changed, entries: lost.length }, 'the log is in a new run')
    }
    await appendAgain(
      {
        link: { call: (partition, script, args) => link.callNow(partition, script, args) },
        consumer: this.#consumer,
        identity: (partition) => found[partition]!.identity,
        bytesMax: this.#options.pendingBytesMax,
      },
      found.length,
      lost,
      {
        places: (entry) => this.#entries.lackingPlaces(entry),
        renamed: (entry, number) => this.#entries.rename(entry, number),
        gone: (entry) => {
          this.#forgotten++
          const { lsn } = entry
          this.env.logger.error({ lsn }, 'the server lost an entry that memory had let go of')
          for (const place of DATABASE_PLACES) this.#hasIt(place, entry)
        },
      },
    )
    // Only now: after a look that failed half way the next one finds once more what may be lost.
    this.#partitions = found
  }

  /** What all processes are known to have pending: as of the last poll, and at least the own. */
  #bytes(): number {
    return Math.max(bytesOf(this.#partitions), this.index.pendingBytes)
  }

  /** Undefined when the server cannot be reached in time. */
  async #ifReachable<T>(call: () => Promise<T>): Promise<T | undefined> {
    if (!this.#link!.connected) return undefined
    try {
      return await call()
    } catch (error) {
      this.env.logger.debug({ error: messageOf(error) }, 'the log could not be asked')
      return undefined
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    for (let round = 1; !signal.aborted; round++) {
      await sleep(this.env, this.#options.leaseMs / 2, signal)
      if (signal.aborted) return
      await this.#ifReachable(() => this.#pollOnce())
      if (round % REFRESH_POLLS === 0) await refreshSettings(this.env, this.#router!, 'log')
    }
  }

  async #pollOnce(): Promise<void> {
    const link = this.#link!
    await link.ensure()
    this.#settler!.kick()
    this.#former = await sayAlive(link, this.#writer, 'alive')
    const claimable = await pollPartitions(link, this.#claimOptions(), this.#partitions)
    for (const place of DATABASE_PLACES) {
      await this.#mine(place, this.index.read(place, CHECK_ENTRIES), false)
      // Sent again by another process, and taken: then it is refused no more.
      await this.#mine(place, this.index.quarantined(place, CHECK_ENTRIES), false)
      this.#claimable[place] ||= claimable[place]
      if (this.#claimable[place]) this.notify(place)
    }
  }
}

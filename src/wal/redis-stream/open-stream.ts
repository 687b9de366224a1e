import { refreshSettings } from '../../backend/redis/connection/eviction.ts'
import type { RedisRouter } from '../../backend/redis/connection/router.ts'
import type { Env } from '../../core/env.ts'
import { isStorageError, StorageError } from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { sleep } from '../../core/time.ts'
import { PENDING, type EntryState } from '../entry-table.ts'
import { statesOf } from '../indexed-wal.ts'
import { PendingIndex } from '../pending-index.ts'
import type { Lsn, WalAppendOptions } from '../wal.ts'
import { appendAgain } from './append-again.ts'
import { appendGroup, type AppendTarget } from './append-group.ts'
import {
  adoptable,
  CLAIM_ENTRIES,
  claimEntries,
  lackedBy,
  numberAdopted,
  retryEntries,
  type Claimed,
} from './claims.ts'
import { StreamEntries, type StreamEntry } from './entries.ts'
import { groupOf, type Group } from './group.ts'
import { StreamLink } from './link.ts'
import type { RedisStreamWalParts, ResolvedRedisStreamOptions } from './options.ts'
import { ownEntries } from './owners.ts'
import { bytesOf, lookAtPartitions, pollPartitions } from './partitions.ts'
import type { ClaimOptions, Partition } from './partitions.ts'
import { Settler } from './settler.ts'
import { SharedReader } from './shared-reader.ts'
import { sayAlive } from './writers.ts'

/** Entries that a poll asks about, for each place. */
const CHECK_ENTRIES = 200
/** The settings of the server are read again every so many polls. */
const REFRESH_POLLS = 10

export interface OpenStreamOptions extends RedisStreamWalParts {
  readonly env: Env
  readonly options: ResolvedRedisStreamOptions
  readonly writer: string
  readonly onReadable: (place: DatabasePlace) => void
  readonly onForgotten: (places: readonly DatabasePlace[]) => void
}

/** A shared log that this process appends to, brings entries of and takes entries over from. */
export class OpenStream {
  readonly router: RedisRouter
  readonly link: StreamLink
  readonly entries: StreamEntries
  readonly settler: Settler
  readonly reader: SharedReader
  readonly #options: OpenStreamOptions
  readonly #claimable: Record<DatabasePlace, boolean> = { primary: false, backup: false }
  readonly #appending = new Set<Promise<unknown>>()
  readonly #stop = new AbortController()
  #partitions: readonly Partition[] = []
  #former: readonly string[] = []
  /** Names this connection: each is a consumer of its own. */
  #session = ''
  #groups = 0
  #forgotten = 0
  #polling: Promise<void> = Promise.resolve()

  constructor(options: OpenStreamOptions) {
    const { env, makeRouter, keyPrefix, timeoutMs } = options
    this.#options = options
    this.router = makeRouter(env)
    const look = (): Promise<void> => this.#look()
    this.link = new StreamLink({ env, router: this.router, keyPrefix, timeoutMs, look })
    this.entries = new StreamEntries(env, options.options.memoryBytesMax)
    this.settler = new Settler(this.link, env.logger)
    this.reader = new SharedReader(this.link)
  }

  /** Connects, and takes over what ended processes left. */
  async open(): Promise<void> {
    try {
      await this.link.connect()
      this.#former = await sayAlive(this.link, this.#options.writer, 'open')
      await this.#adopt()
    } catch (error) {
      this.link.close()
      throw error
    }
    this.#polling = this.#poll(this.#stop.signal)
  }

  get partitions(): readonly Partition[] {
    return this.#partitions
  }

  /** Writers that have ended. */
  get former(): readonly string[] {
    return this.#former
  }

  /** Entries that the server lost and memory did not have any more. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** What all processes are known to have pending: as of the last poll, and at least the own. */
  get bytes(): number {
    return Math.max(bytesOf(this.#partitions), this.entries.index.pendingBytes)
  }

  async append(operations: readonly Operation[], options: WalAppendOptions): Promise<Lsn> {
    const call = this.#append(operations, options)
    this.#appending.add(call)
    try {
      return await call
    } finally {
      this.#appending.delete(call)
    }
  }

  /** Entries for a worker: the oldest that this process should bring, or could. */
  async read(place: DatabasePlace, limit: number): Promise<readonly Lsn[]> {
    const lsns = await this.#own(place, this.entries.index.read(place, limit), true)
    if (lsns.length < limit && this.#claimable[place] && this.link.ready) {
      lsns.push(...(await this.#takeOver(place, limit - lsns.length)))
    }
    return lsns.sort((a, b) => a - b)
  }

  /** True when another process seems to have left something behind. */
  isClaimable(place: DatabasePlace): boolean {
    return this.#claimable[place]
  }

  /** The place has these: the server is told. */
  acknowledge(place: DatabasePlace, lsns: readonly Lsn[]): void {
    for (const lsn of lsns) {
      const entry = this.entries.get(lsn)
      if (entry !== undefined && this.entries.settle(place, entry)) {
        this.settler.acknowledge(place, entry)
      }
    }
  }

  /** Takes over all that the place had refused. Returns how many entries. */
  async retryQuarantined(place: DatabasePlace): Promise<number> {
    let count = 0
    for (const partition of this.#partitions.keys()) {
      for await (const entry of retryEntries(this.link, this.#claimOptions(), partition, place)) {
        const known = this.entries.find(place, partition, entry.number)
        if (known !== undefined) this.entries.index.unquarantine(place, known.lsn)
        this.#takeIn(entry, place)
        count++
      }
    }
    return count
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.allSettled(this.#appending)
    await this.#polling
    if (this.link.connected) {
      await this.settler.flush()
      // Whoever opens the log next may take over at once.
      await this.link.ifReachable(() => sayAlive(this.link, this.#options.writer, 'end'))
    }
    this.link.close()
  }

  async #append(
    operations: readonly Operation[],
    { hold, fresh = false }: WalAppendOptions,
  ): Promise<Lsn> {
    if (!this.link.connected) {
      throw new StorageError('UNAVAILABLE', 'the Redis of the log cannot be reached', {
        place: 'wal',
      })
    }
    const group = groupOf(operations, this.link.partitions)
    const name = fresh ? group.name : `${group.name}+${this.#session}.${++this.#groups}`
    const number = await this.#appendWithRoom(operations, { ...group, name }, fresh)
    const known = fresh ? this.entries.findAny(group.home, number) : undefined
    if (known !== undefined) return known.lsn
    const states = statesOf(hold)
    const lsn = this.#add({ ...group, name, partition: group.home, number, operations }, states)
    for (const place of DATABASE_PLACES) {
      if (states[place] === PENDING) this.#options.onReadable(place)
    }
    return lsn
  }

  async #appendWithRoom(
    operations: readonly Operation[],
    group: Group,
    fresh: boolean,
  ): Promise<string> {
    const append = (): Promise<string> => {
      const target = this.#target(this.link, () => this.#partitions, group.home)
      return appendGroup(target, operations, group, { fresh })
    }
    try {
      return await append()
    } catch (error) {
      // What the server was not told yet may make the room.
      if (!isStorageError(error, 'OVERLOADED') || this.settler.isIdle) throw error
      await this.settler.flush()
      return await append()
    }
  }

  /** For a group that belongs to no partition yet, `home` is left out. */
  #target(
    link: AppendTarget['link'],
    partitions: AppendTarget['partitions'],
    home?: number,
  ): AppendTarget {
    const { pendingBytesMax } = this.#options.options
    const others = home === undefined ? 0 : bytesOf(partitions(), home)
    const { consumer } = this.#claimOptions()
    return { link, consumer, partitions, bytesMax: pendingBytesMax - others }
  }

  #add(
    entry: Group & Pick<StreamEntry, 'partition' | 'number' | 'operations'>,
    states: Readonly<Record<DatabasePlace, EntryState>>,
    lsn: Lsn = this.entries.index.head + 1,
  ): Lsn {
    const { name, head, number, partition } = entry
    this.entries.add({ ...entry, group: name, lsn }, states)
    const at = this.#partitions[partition]!
    at.number = Math.max(at.number, Number(number))
    at.head = head > at.head ? head : at.head
    return lsn
  }

  async #own(place: DatabasePlace, lsns: readonly Lsn[], wanted: boolean): Promise<Lsn[]> {
    const claim = this.#claimOptions()
    return await ownEntries(this.link, this.entries, claim, { place, wanted }, lsns)
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
      const claimed = await claimEntries(this.link, this.#claimOptions(), partition, place, room)
      if (claimed.length === room) this.#claimable[place] = true
      for (const entry of claimed) {
        const lsn = this.#takeIn(entry, place)
        if (lsn !== undefined) taken.push(lsn)
      }
    }
    return taken
  }

  /** Undefined when the entry is this process's anyway. */
  #takeIn(entry: Claimed, place: DatabasePlace): Lsn | undefined {
    const known = this.entries.find(place, entry.partition, entry.number)
    if (known === undefined) return this.#adoptOne(entry, lackedBy(place))
    this.entries.touch(known)
    return undefined
  }

  #adoptOne(claimed: Claimed, states: Readonly<Record<DatabasePlace, EntryState>>, lsn?: Lsn): Lsn {
    const { group: name, bytes } = claimed
    const group = { ...groupOf(claimed.operations, this.link.partitions), name, bytes }
    return this.#add({ ...claimed, ...group }, states, lsn)
  }

  /** Takes over what ended processes left, and learns of what places refuse. */
  async #adopt(): Promise<void> {
    const found = await adoptable(this.link, this.#claimOptions(), this.#partitions.length)
    const { first, last, numbered } = numberAdopted(found, this.#partitions)
    this.entries.index = new PendingIndex(first - 1)
    for (const { entry, states, lsn } of numbered) this.#adoptOne(entry, states, lsn)
    this.entries.index.skipTo(last)
  }

  #claimOptions(): ClaimOptions {
    const { options, writer } = this.#options
    const consumer = `${writer}/${this.#session}`
    return { consumer, leaseMs: options.leaseMs, ended: this.#former }
  }

  /** After each new connection: partitions, scripts, and what the server may have lost. */
  async #look(): Promise<void> {
    const { env, options } = this.#options
    const { link, entries } = this
    const looked = await lookAtPartitions(env, link, options.partitions, this.#partitions)
    const { partitions, changed } = looked
    // What an earlier connection left without an answer is not this one's.
    this.#session = Buffer.from(env.randomBytes(6)).toString('hex')
    const lost = [...entries.all()].filter(({ partition }) => changed.includes(partition))
    if (changed.length > 0) {
      env.logger.warn({ partitions: changed, entries: lost.length }, 'the log is in a new run')
    }
    const call: StreamLink['callNow'] = (...args) => link.callNow(...args)
    const target = this.#target({ call }, () => partitions)
    this.#forget(await appendAgain(target, entries, lost))
    // Only now: after a look that failed half way the next one finds once more what may be lost.
    this.#partitions = partitions
  }

  /** Nobody has these entries: what places lack of them is in the other database, or nowhere. */
  #forget(gone: readonly StreamEntry[]): void {
    const { entries } = this
    const lacking = new Set<DatabasePlace>()
    for (const entry of gone) {
      this.#forgotten++
      const text = 'the server lost an entry that memory had let go of'
      this.#options.env.logger.error({ lsn: entry.lsn }, text)
      for (const place of entries.lackingPlaces(entry)) lacking.add(place)
    }
    // Before the entries go: while they are here, they are owed.
    if (lacking.size > 0) this.#options.onForgotten([...lacking])
    for (const entry of gone) for (const place of DATABASE_PLACES) entries.settle(place, entry)
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { env, options } = this.#options
    for (let round = 1; !signal.aborted; round++) {
      await sleep(env, options.leaseMs / 2, signal)
      if (signal.aborted) return
      await this.link.ifReachable(() => this.#pollOnce())
      if (round % REFRESH_POLLS === 0) await refreshSettings(env, this.router, 'log')
    }
  }

  async #pollOnce(): Promise<void> {
    const { link } = this
    await link.ensure()
    this.settler.kick()
    this.#former = await sayAlive(link, this.#options.writer, 'alive')
    const claimable = await pollPartitions(link, this.#claimOptions(), this.#partitions)
    const { index } = this.entries
    for (const place of DATABASE_PLACES) {
      await this.#own(place, index.read(place, CHECK_ENTRIES), false)
      // Sent again by another process, and taken: then it is refused no more.
      await this.#own(place, index.quarantined(place, CHECK_ENTRIES), false)
      this.#claimable[place] ||= claimable[place]
      if (this.#claimable[place]) this.#options.onReadable(place)
    }
  }
}

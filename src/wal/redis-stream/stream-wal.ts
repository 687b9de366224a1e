/*
 * A log in Redis streams that several processes share. `scripts/common-lua.ts` has what is kept where.
 *
 * - Appending is one script: it refuses a stamp that is not greater than the last one of its key,
 *   adds the entry, makes the writer its consumer at both places and adds it to the pending index of
 *   its keys. So there is no moment at which an entry is in the log and not in the index.
 * - A group whose keys are in several partitions is one entry in the partition of its first key. Its
 *   other keys are marked *before* the entry is appended, and unmarked after both places have it: a
 *   reader that finds a mark asks the entry's partition, and finds nothing when the entry never came.
 *   All or nothing is therefore decided by the one append.
 * - An entry belongs to a consumer until a place has it. One that was left alone for the lease time
 *   is taken over by any process that can reach the place. Every connection is a consumer of its own:
 *   an entry whose append had no answer belongs to one that is gone, and is taken over as well.
 * - Trimming goes by the oldest entry that some place lacks, never by length or age.
 * - Scripts are made for one run of the server (`link.ts`). In a new run each process first appends
 *   again what the server does not have any more, out of memory, and the sequencer goes on above
 *   every stamp that it knew of.
 */
import { durabilityOf } from '../../backend/redis/server-info.ts'
import type { RedisRouter } from '../../backend/redis/router.ts'
import type { Env } from '../../core/env.ts'
import { invalid, isStorageError, messageOf, StorageError } from '../../core/errors.ts'
import { DATABASE_PLACES, type DatabasePlace, type Operation } from '../../core/operation.ts'
import { maxStamp, stampMs, type Stamp } from '../../core/stamp.ts'
import { sleep } from '../../core/time.ts'
import { HELD, PENDING, QUARANTINED, ACKNOWLEDGED, type EntryState } from '../entry-table.ts'
import { IndexedWal } from '../indexed-wal.ts'
import { PendingIndex } from '../pending-index.ts'
import type { Lsn, SharedWal, WalAppendOptions, WalEntry, WalOpened, WalStats } from '../wal.ts'
import { appendGroup, type AppendTarget } from './append-group.ts'
import { StreamEntries, type StreamEntry } from './entries.ts'
import { decodeOperations, groupOf, type Group } from './group.ts'
import { StreamLink } from './link.ts'
import type { ResolvedRedisStreamOptions } from './options.ts'
import { lookAtPartitions, type Partition } from './partitions.ts'
import { CLAIM, FETCH, POLL, QUARANTINE, REFUSED, TOUCH, WRITERS } from './scripts/scripts.ts'
import { LETTER, Settler } from './settler.ts'
import { SharedReader } from './shared-reader.ts'

export interface RedisStreamWalParts {
  readonly makeRouter: (env: Env) => RedisRouter
  readonly keyPrefix: string
  readonly timeoutMs: number
}

/** A writer that was silent for this long is dead. Milliseconds. */
const DEAD_MS = 15_000
/** Entries that one call takes over. */
const CLAIM_ENTRIES = 250
/** Entries that a new process takes over from ended ones before it starts, for each place. */
const ADOPT_ENTRIES_MAX = 20_000
/** Entries whose operations are fetched by one call. */
const FETCH_ENTRIES = 100
/** Entries that a poll asks about, for each place. */
const CHECK_ENTRIES = 200
/** Groups that are appended again at once. */
const AGAIN_GROUPS = 32
/** The settings of the server are read again every so many polls. */
const REFRESH_POLLS = 10

interface Claimed {
  readonly partition: number
  readonly number: string
  readonly operations: readonly Operation[]
  readonly group: string
  readonly bytes: number
}

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

  readonly shared: SharedWal = {
    pendingKeys: async (place) => {
      const own = [...this.index.pendingKeys(place)]
      const found = await this.#ifReachable(() => this.#reader!.pendingKeys(place))
      for (const key of own) found?.add(key)
      return found ?? own
    },
    isDurable: () => this.#durability().durable,
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
      this.#former = await this.#sayAlive('open')
      await this.#adopt()
    } catch (error) {
      link.close()
      throw error
    }
    this.isOpen = true
    this.#stop = new AbortController()
    this.#polling = this.#poll(this.#stop.signal)
    const head = this.#head()
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

  override isFull(): boolean {
    return this.#bytes() >= this.#options.pendingBytesMax
  }

  override formerWriters(): readonly string[] {
    return this.#former
  }

  stats(): WalStats {
    const now = this.env.now()
    const { durable, reasons } = this.#durability()
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
      await this.#ifReachable(() => this.#sayAlive('end'))
    }
    this.#link!.close()
  }

  protected override async load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]> {
    // All of it is noted now: what is acknowledged later is in the answer all the same.
    const wanted = lsns.flatMap((lsn) => {
      const entry = this.#entries.get(lsn)
      return entry === undefined ? [] : [{ lsn, entry, operations: entry.operations }]
    })
    const missing = wanted.filter(({ operations }) => operations === undefined)
    const fetched = await this.#fetch(missing.map(({ entry }) => entry))
    return wanted.flatMap(({ lsn, entry, operations }) => {
      const found = operations ?? fetched.get(entry)
      return found === undefined ? [] : [{ lsn, operations: found }]
    })
  }

  protected override onAcknowledged(place: DatabasePlace, lsns: readonly Lsn[]): void {
    for (const lsn of lsns) {
      const entry = this.#entries.get(lsn)
      if (entry === undefined || !this.#entries.settle(place, entry)) continue
      this.#settler!.acknowledge(place, entry)
      this.#dropIfDone(entry)
    }
  }

  // ---- appending

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
    const known = fresh ? this.#knownEntry(group.home, number) : undefined
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
      bytesMax: this.#options.pendingBytesMax - this.#bytesBut(group.home),
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

  #knownEntry(partition: number, number: string): StreamEntry | undefined {
    for (const place of DATABASE_PLACES) {
      const entry = this.#entries.find(place, partition, number)
      if (entry !== undefined) return entry
    }
    return undefined
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

  // ---- other processes

  /** Of these entries those that this process should bring; the place has, or gets, the others. */
  async #mine(place: DatabasePlace, lsns: readonly Lsn[], wanted: boolean): Promise<Lsn[]> {
    const link = this.#link!
    const dueAt = this.env.monotonic() - this.#options.leaseMs / 2
    const mine: Lsn[] = []
    const stale = new Map<number, StreamEntry[]>()
    for (const lsn of lsns) {
      const entry = this.#entries.get(lsn)
      if (entry === undefined) continue
      if (entry.touchedAt > dueAt || !link.ready) {
        mine.push(lsn)
        continue
      }
      const list = stale.get(entry.partition)
      if (list === undefined) stale.set(entry.partition, [entry])
      else list.push(entry)
    }
    for (const [partition, entries] of stale) {
      const args = [
        LETTER[place],
        this.#consumer,
        String(this.#options.leaseMs),
        wanted ? '1' : '0',
      ]
      const numbers = entries.map(({ number }) => number)
      const answers = await this.#ifReachable(() =>
        link.call(partition, TOUCH, [...args, ...numbers]),
      )
      entries.forEach((entry, i) => {
        const answer = answers === undefined ? '1' : String(answers[i])
        if (answer === '0') this.#hasIt(place, entry)
        if (answer !== '1') return
        if (wanted) entry.touchedAt = this.env.monotonic()
        mine.push(entry.lsn)
      })
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
      const claimed = await this.#claim(partition, place, room)
      if (claimed.length === room) this.#claimable[place] = true
      for (const entry of claimed) {
        const lsn = this.#adoptOne(entry, {
          primary: place === 'primary' ? PENDING : ACKNOWLEDGED,
          backup: place === 'backup' ? PENDING : ACKNOWLEDGED,
        })
        if (lsn !== undefined) taken.push(lsn)
      }
    }
    return taken
  }

  async #claim(partition: number, place: DatabasePlace, limit: number): Promise<Claimed[]> {
    const { leaseMs } = this.#options
    const args = [LETTER[place], this.#consumer, String(leaseMs), String(limit)]
    return claimedOf(
      partition,
      await this.#link!.call(partition, CLAIM, [...args, ...this.#former]),
    )
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
    const found = new Map<string, { entry: Claimed; states: Record<DatabasePlace, EntryState> }>()
    const note = (place: DatabasePlace, state: EntryState, entries: readonly Claimed[]): void => {
      for (const entry of entries) {
        const name = `${entry.partition}:${entry.number}`
        const states = { primary: ACKNOWLEDGED, backup: ACKNOWLEDGED } as const
        const known = found.get(name) ?? { entry, states: { ...states } }
        known.states[place] = state
        found.set(name, known)
      }
    }
    for (const place of DATABASE_PLACES) {
      let count = 0
      for (const partition of this.#partitions.keys()) {
        const args = [LETTER[place], String(CLAIM_ENTRIES)]
        const refused = await this.#link!.call(partition, REFUSED, args)
        note(place, QUARANTINED, claimedOf(partition, refused))
        for (let more = true; more && count < ADOPT_ENTRIES_MAX;) {
          const claimed = await this.#claim(partition, place, CLAIM_ENTRIES)
          note(place, PENDING, claimed)
          count += claimed.length
          more = claimed.length === CLAIM_ENTRIES
        }
      }
    }
    const sorted = [...found.values()].sort(
      (a, b) => Number(a.entry.number) - Number(b.entry.number),
    )
    // With one partition its numbers are the LSNs, so that they go on from one process to the next.
    const alone = this.#partitions.length === 1
    const last = this.#partitions.reduce((sum, { number }) => sum + number, 0)
    const first = alone ? Number(sorted[0]?.entry.number ?? last + 1) : last + 1
    this.index = new PendingIndex(first - 1)
    this.#lastLsn = first - 1
    for (const { entry, states } of sorted) {
      this.#adoptOne(entry, states, alone ? Number(entry.number) : undefined)
    }
    this.#lastLsn = Math.max(this.#lastLsn, last)
    this.index.skipTo(this.#lastLsn)
  }

  // ---- the server

  /** After each new connection: partitions, scripts, and what the server may have lost. */
  async #look(link: StreamLink): Promise<void> {
    const { partitions } = this.#options
    const { partitions: found, changed } = await lookAtPartitions(
      this.env,
      link,
      partitions,
      this.#partitions,
    )
    this.#partitions = found
    // Each connection is a consumer of its own: what an earlier one left without an answer is not its.
    this.#consumer = `${this.#writer}/${Buffer.from(this.env.randomBytes(6)).toString('hex')}`
    if (changed.length === 0) return
    const lost = [...this.#entries.all()].filter(({ partition }) => changed.includes(partition))
    this.env.logger.warn({ partitions: changed, entries: lost.length }, 'the log is in a new run')
    for (let from = 0; from < lost.length; from += AGAIN_GROUPS) {
      await Promise.all(
        lost.slice(from, from + AGAIN_GROUPS).map((entry) => this.#again(link, entry)),
      )
    }
  }

  /** Appends an entry again, unless the server still has it. */
  async #again(link: StreamLink, entry: StreamEntry): Promise<void> {
    const { operations } = entry
    const places = this.#entries.lackingPlaces(entry)
    if (places.length === 0) return
    if (operations === undefined) {
      const [text] = await link.callNow(entry.partition, FETCH, [entry.number])
      if (text !== '') return
      this.#forgotten++
      this.env.logger.error(
        { lsn: entry.lsn },
        'the server lost an entry that memory had let go of',
      )
      for (const place of places) this.#hasIt(place, entry)
      return
    }
    const target: AppendTarget = {
      link: { call: (partition, script, args) => link.callNow(partition, script, args) },
      consumer: this.#consumer,
      identity: (partition) => this.#partitions[partition]!.identity,
      bytesMax: this.#options.pendingBytesMax,
    }
    const split = groupOf(operations, this.#partitions.length)
    const number = await appendGroup(
      target,
      operations,
      { ...split, name: entry.group === '' ? split.name : entry.group },
      { fresh: false, places, former: entry.number },
    )
    this.#entries.rename(entry, number)
  }

  #head(): Stamp | undefined {
    let head: Stamp | undefined
    for (const partition of this.#partitions) {
      if (partition.head !== '') head = maxStamp(head, partition.head as Stamp)
    }
    return head
  }

  /** What all processes are known to have pending: as of the last poll, and at least the own. */
  #bytes(): number {
    const polled = this.#partitions.reduce((sum, { bytes }) => sum + bytes, 0)
    return Math.max(polled, this.index.pendingBytes)
  }

  #bytesBut(partition: number): number {
    return this.#partitions.reduce((sum, { bytes }, i) => sum + (i === partition ? 0 : bytes), 0)
  }

  #durability(): { readonly durable: boolean; readonly reasons: readonly string[] } {
    const router = this.#router
    if (router === undefined) return { durable: false, reasons: ['the log is not open'] }
    const { durable, reasons } = durabilityOf(router.servers, router.hasFailover)
    if (this.#forgotten === 0) return { durable, reasons }
    return { durable, reasons: [...reasons, `the server lost ${this.#forgotten} entries for good`] }
  }

  async #sayAlive(how: 'open' | 'alive' | 'end'): Promise<readonly string[]> {
    const args = [this.#writer, how, String(DEAD_MS)]
    return (await this.#link!.call(0, WRITERS, args)).map(String)
  }

  async #fetch(
    entries: readonly StreamEntry[],
  ): Promise<ReadonlyMap<StreamEntry, readonly Operation[]>> {
    const found = new Map<StreamEntry, readonly Operation[]>()
    for (let from = 0; from < entries.length; from += FETCH_ENTRIES) {
      const part = entries.slice(from, from + FETCH_ENTRIES)
      const partitions = new Set(part.map(({ partition }) => partition))
      for (const partition of partitions) {
        const wanted = part.filter((entry) => entry.partition === partition)
        const numbers = wanted.map(({ number }) => number)
        const texts = await this.#link!.call(partition, FETCH, numbers)
        wanted.forEach((entry, i) => {
          const text = String(texts[i])
          if (text !== '') found.set(entry, decodeOperations(text))
        })
      }
    }
    return found
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

  // ---- polling

  async #poll(signal: AbortSignal): Promise<void> {
    for (let round = 1; !signal.aborted; round++) {
      await sleep(this.env, this.#options.leaseMs / 2, signal)
      if (signal.aborted) return
      await this.#ifReachable(() => this.#pollOnce())
      if (round % REFRESH_POLLS === 0) await this.#router!.refresh()
    }
  }

  async #pollOnce(): Promise<void> {
    const link = this.#link!
    await link.ensure()
    this.#settler!.kick()
    this.#former = await this.#sayAlive('alive')
    const args = [this.#consumer, String(this.#options.leaseMs)]
    const claimable = { primary: false, backup: false }
    await Promise.all(
      [...this.#partitions.keys()].map(async (index) => {
        const reply = await link.call(index, POLL, args)
        const [identity, number, head, bytes, entries, primary, backup] = reply
        const partition = this.#partitions[index]!
        if (String(identity) !== partition.identity) {
          link.distrust()
          return
        }
        partition.number = Math.max(partition.number, Number(number))
        partition.head = String(head) > partition.head ? String(head) : partition.head
        partition.bytes = Number(bytes)
        partition.entries = Number(entries)
        if (Number(primary) > 0) claimable.primary = true
        if (Number(backup) > 0) claimable.backup = true
      }),
    )
    for (const place of DATABASE_PLACES) {
      await this.#mine(place, this.index.read(place, CHECK_ENTRIES), false)
      this.#claimable[place] ||= claimable[place]
      if (this.#claimable[place]) this.notify(place)
    }
  }
}

function claimedOf(partition: number, reply: readonly unknown[]): Claimed[] {
  const claimed: Claimed[] = []
  for (let i = 0; i + 3 < reply.length; i += 4) {
    claimed.push({
      partition,
      number: String(reply[i]),
      operations: decodeOperations(String(reply[i + 1])),
      group: String(reply[i + 2]),
      bytes: Number(reply[i + 3]),
    })
  }
  return claimed
}

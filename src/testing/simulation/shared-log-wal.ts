import type { Env } from '../../core/env.ts'
import { invalid, messageOf, StorageError } from '../../core/errors.ts'
import {
  DATABASE_PLACES,
  operationBytes,
  type DatabasePlace,
  type Operation,
} from '../../core/operation.ts'
import { stampMs } from '../../core/stamp.ts'
import { sleep } from '../../core/time.ts'
import { BehindInLog } from '../../wal/behind-in-log.ts'
import { ACKNOWLEDGED, HELD, PENDING, type EntryState } from '../../wal/entry-table.ts'
import { IndexedWal } from '../../wal/indexed-wal.ts'
import { keysOf } from '../../wal/pending-index.ts'
import type {
  Lsn,
  SharedWal,
  WalAppendOptions,
  WalEntry,
  WalOpened,
  WalStats,
} from '../../wal/wal.ts'
import { remoteCall, type Caller } from './remote-call.ts'
import { LEASE_MS, type SharedEntry, type SharedLog } from './shared-log.ts'
import type { SimulatedServer } from './simulated-server.ts'

const TIMEOUT_MS = 2_000
const CLAIM_ENTRIES = 50
const CHECK_ENTRIES = 200
/** After a call failed, the server counts as out until the next poll. Milliseconds. */
const POLL_MS = LEASE_MS / 2

interface Known extends SharedEntry {
  readonly lsn: Lsn
  touchedMs: number
}

type Untold =
  { readonly kind: 'acknowledge'; readonly number: number } | { readonly kind: 'resend' }

/** A log that all processes share, as one life of a process sees it. */
export class SharedLogWal extends IndexedWal {
  readonly #server: SimulatedServer<SharedLog>
  readonly #caller: Caller
  readonly #known = new Map<Lsn, Known>()
  readonly #byNumber = new Map<number, Lsn>()
  /** What the server does not know yet, in order. */
  readonly #untold: Record<DatabasePlace, Untold[]> = { primary: [], backup: [] }
  #telling: Promise<void> | undefined
  #claimable: Record<DatabasePlace, boolean> = { primary: false, backup: false }
  #writer = ''
  #groups = 0
  #former: readonly string[] = []
  #lastLsn: Lsn = 0
  #isReached = true
  #stop = new AbortController()

  constructor(env: Env, server: SimulatedServer<SharedLog>, caller: Caller) {
    super(env)
    this.#server = server
    this.#caller = caller
  }

  readonly shared: SharedWal = {
    pendingKeys: async (place) => {
      const own = [...this.index.pendingKeys(place)]
      const found = await this.#ifReachable(() => this.#call('pendingKeys', [place]))
      return found === undefined ? own : new Set([...own, ...found])
    },
    isDurable: () => true,
    serverIds: () => ['the log'],
  }

  async open(writer: string): Promise<WalOpened> {
    if (this.isOpen) throw new StorageError('CONFLICT', 'the log is open already')
    this.#writer = writer
    this.#former = await this.#call('say', [writer, 'alive'])
    const head = await this.#ask('head', [], async (log) => log.head)
    this.isOpen = true
    for (const place of DATABASE_PLACES) this.#claimable[place] = true
    this.#stop = new AbortController()
    void this.#poll(this.#stop.signal)
    return {
      ceilingMs: head === undefined ? 0 : stampMs(head) + 1,
      formerWriters: this.#former,
      ...(head !== undefined && { head }),
    }
  }

  async append(operations: readonly Operation[], options: WalAppendOptions = {}): Promise<Lsn> {
    this.checkOpen()
    if (operations.length === 0) throw invalid('operations must not be empty')
    const { hold = [], fresh = false } = options
    const stamps = operations.map(({ key, stamp }) => `${key} ${stamp}`).join(', ')
    const group = fresh ? stamps : `${stamps} ${this.#writer} ${++this.#groups}`
    const consumer = this.#consumer()
    const answer = await this.#call('append', [group, operations, { fresh, consumer }])
    if (answer.kind === 'behind') throw new BehindInLog(answer.stamps)
    if (answer.kind === 'full') {
      throw new StorageError('OVERLOADED', 'the log is full', { place: 'wal' })
    }
    const { number, isDone } = answer
    const known = this.#byNumber.get(number)
    if (known !== undefined) return known
    const state = (place: DatabasePlace): EntryState =>
      isDone ? ACKNOWLEDGED : hold.includes(place) ? HELD : PENDING
    const lsn = this.#adopt({ number, operations }, state)
    for (const place of DATABASE_PLACES) if (!hold.includes(place)) this.notify(place)
    return lsn
  }

  override async pending(place: DatabasePlace, key: string): Promise<readonly Operation[]> {
    this.checkOpen()
    const own = super.pending(place, key)
    const untold = this.#untold[place]
    const told = new Set(untold.map((task) => (task.kind === 'acknowledge' ? task.number : 0)))
    if (untold.some(({ kind }) => kind === 'resend')) await this.#tell()
    const found = await this.#ifReachable(() => this.#call('pending', [place, key]))
    if (found === undefined) return await own
    return found.filter(({ number }) => !told.has(number)).flatMap(({ operations }) => operations)
  }

  override async read(place: DatabasePlace, limit: number): Promise<readonly WalEntry[]> {
    this.checkOpen()
    const lsns = await this.#own(place, this.index.read(place, limit))
    if (lsns.length < limit && this.#claimable[place]) {
      lsns.push(...(await this.#claim(place, limit - lsns.length)))
    }
    return await this.load(lsns.sort((a, b) => a - b))
  }

  override readable(place: DatabasePlace): number {
    return this.index.readable(place) + (this.#claimable[place] ? 1 : 0)
  }

  override resend(place: DatabasePlace): void {
    super.resend(place)
    this.#untold[place] = [{ kind: 'resend' }]
    void this.#tell()
  }

  override formerWriters(): readonly string[] {
    return this.#former
  }

  async quarantine(place: DatabasePlace, lsn: Lsn): Promise<void> {
    this.checkOpen()
    const entry = this.#known.get(lsn)
    if (entry === undefined) return
    await this.#call('refuse', [place, entry.number])
    this.index.quarantine(place, lsn)
  }

  stats(): WalStats {
    const now = this.env.now()
    return {
      type: 'shared',
      durable: true,
      reasons: [],
      state: !this.isOpen ? 'closed' : this.#isReached ? 'open' : 'failed',
      entries: this.index.entries,
      bytes: this.index.pendingBytes,
      pendingBytesMax: Number.MAX_SAFE_INTEGER,
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
    await this.#tell()
    await this.#ifReachable(() => this.#call('say', [this.#writer, 'end']))
  }

  protected override async load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]> {
    return lsns.flatMap((lsn) => {
      const entry = this.#known.get(lsn)
      return entry === undefined ? [] : [{ lsn, operations: entry.operations }]
    })
  }

  protected override onAcknowledged(place: DatabasePlace, lsns: readonly Lsn[]): void {
    for (const lsn of lsns) {
      const entry = this.#known.get(lsn)
      if (entry === undefined) continue
      this.#untold[place].push({ kind: 'acknowledge', number: entry.number })
      this.#dropIfDone(entry)
    }
    if (lsns.length > 0) void this.#tell()
  }

  #consumer(): string {
    return `${this.#writer}/own`
  }

  #adopt({ number, operations }: SharedEntry, state: (place: DatabasePlace) => EntryState): Lsn {
    const lsn = ++this.#lastLsn
    const entry = { lsn, number, operations, touchedMs: this.env.monotonic() }
    this.#known.set(lsn, entry)
    this.#byNumber.set(number, lsn)
    this.index.add({
      lsn,
      keys: keysOf(operations),
      bytes: operations.reduce((sum, operation) => sum + operationBytes(operation), 0),
      offset: 0,
      atMs: this.env.now(),
      states: { primary: state('primary'), backup: state('backup') },
    })
    this.#dropIfDone(entry)
    return lsn
  }

  #dropIfDone({ lsn, number }: Known): void {
    if (!this.index.isDone(lsn)) return
    this.index.drop(lsn)
    this.#known.delete(lsn)
    this.#byNumber.delete(number)
  }

  /** Of these entries those that are still this process's to bring. */
  async #own(place: DatabasePlace, lsns: readonly Lsn[]): Promise<Lsn[]> {
    const dueMs = this.env.monotonic() - LEASE_MS / 2
    const entries = lsns.flatMap((lsn) => this.#known.get(lsn) ?? [])
    const stale = entries.filter(({ touchedMs }) => touchedMs <= dueMs)
    const fresh = entries.filter(({ touchedMs }) => touchedMs > dueMs)
    if (stale.length === 0) return fresh.map(({ lsn }) => lsn)
    const numbers = stale.map(({ number }) => number)
    const found = await this.#ifReachable(() =>
      this.#call('owned', [place, numbers, this.#consumer()]),
    )
    if (found === undefined) return entries.map(({ lsn }) => lsn)
    for (const number of found.done) this.#brought(place, number)
    const own = stale.filter(({ number }) => found.own.includes(number))
    for (const entry of own) entry.touchedMs = this.env.monotonic()
    return [...fresh, ...own].map(({ lsn }) => lsn)
  }

  /** Another process brought it. */
  #brought(place: DatabasePlace, number: number): void {
    const entry = this.#known.get(this.#byNumber.get(number) ?? 0)
    if (entry === undefined) return
    this.index.acknowledge(place, entry.lsn)
    this.#dropIfDone(entry)
  }

  async #claim(place: DatabasePlace, limit: number): Promise<Lsn[]> {
    const count = Math.min(limit, CLAIM_ENTRIES)
    const args = [place, this.#consumer(), this.#former, count] as const
    const claimed = await this.#ifReachable(() => this.#call('claim', args))
    if (claimed === undefined) return []
    this.#claimable[place] = claimed.length === count
    const lsns: Lsn[] = []
    for (const entry of claimed) {
      const known = this.#known.get(this.#byNumber.get(entry.number) ?? 0)
      if (known !== undefined) known.touchedMs = this.env.monotonic()
      else lsns.push(this.#adopt(entry, (other) => (other === place ? PENDING : ACKNOWLEDGED)))
    }
    return lsns
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.env, POLL_MS, signal)
      if (signal.aborted) return
      const former = await this.#ifReachable(() => this.#call('say', [this.#writer, 'alive']))
      if (former === undefined) continue
      this.#former = former
      void this.#tell()
      for (const place of DATABASE_PLACES) {
        await this.#own(place, this.index.read(place, CHECK_ENTRIES))
        this.#claimable[place] = true
        this.notify(place)
      }
    }
  }

  /** Tells the server what places have; what could not be told stays for the next poll. */
  async #tell(): Promise<void> {
    this.#telling ??= this.#tellAll().finally(() => (this.#telling = undefined))
    await this.#telling
  }

  async #tellAll(): Promise<void> {
    for (const place of DATABASE_PLACES) {
      while (this.#untold[place].length > 0) {
        const batch = [...this.#untold[place]]
        const told = await this.#ifReachable(async () => {
          await this.#tellBatch(place, batch)
          return true
        })
        if (told === undefined) return
        // A `resend` may have replaced them meanwhile.
        this.#untold[place] = this.#untold[place].filter((task) => !batch.includes(task))
      }
    }
  }

  async #tellBatch(place: DatabasePlace, batch: readonly Untold[]): Promise<void> {
    await this.#ask('tell', [place, batch.length], async (log) => {
      for (const task of batch) {
        if (task.kind === 'resend') log.resend(place, this.#consumer())
        else log.acknowledge(place, [task.number])
      }
    })
  }

  async #ifReachable<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await call()
      this.#isReached = true
      return result
    } catch (error) {
      this.#isReached = false
      this.env.logger.debug({ error: messageOf(error) }, 'the log could not be asked')
      return undefined
    }
  }

  async #call<Name extends Method>(
    name: Name,
    args: Readonly<Parameters<SharedLog[Name]>>,
  ): Promise<ReturnType<SharedLog[Name]>> {
    return await this.#ask(name, args, async (log) => {
      const run = log[name] as (...args: unknown[]) => ReturnType<SharedLog[Name]>
      return run.apply(log, [...args])
    })
  }

  async #ask<T>(
    name: string,
    detail: readonly unknown[],
    run: (log: SharedLog) => Promise<T>,
  ): Promise<T> {
    return await remoteCall(
      this.#server,
      this.#caller,
      { name, detail, timeoutMs: TIMEOUT_MS },
      run,
    )
  }
}

type Method = Exclude<keyof SharedLog, 'isFull' | 'head' | 'size'>

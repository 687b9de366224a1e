import type { Env } from '../core/env.ts'
import { isErased, type ThroughOf } from '../core/erase.ts'
import { invalid, messageOf, StorageError } from '../core/errors.ts'
import { encodeJson } from '../core/json.ts'
import { checkText, KEY_BYTES_MAX } from '../core/limits.ts'
import { checkEnv } from '../core/option-kinds.ts'
import { resolve } from '../core/options.ts'
import type { Stamp } from '../core/stamp.ts'
import type { ValueCipher } from '../core/encryption/value-cipher.ts'
import type { Operation } from '../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { sleep, withDeadline } from '../core/time.ts'
import { EncryptedWal } from './encrypted-wal.ts'
import { FlushWorker, type FlushMark, type FlushTarget, type PendingBatch } from './flush-worker.ts'
import { MANAGER_OPTIONS, WAL_OPTION, type WALManagerOptions } from './manager-options.ts'
import { OpenTickets } from './open-tickets.ts'
import { Owed } from './owed.ts'
import { Ticket, type TicketKeeper } from './ticket.ts'
import { fullness, type WalManagerStats } from './wal-manager-stats.ts'
import {
  ofIds,
  pendingOf,
  type RefusedEntry,
  type WAL,
  type WalEntry,
  type WalErased,
  type WalOpened,
} from './wal.ts'

/** Most time for reading what is pending for one key: entries may be on a disk that hangs. */
const PENDING_MS = 1_000
/** Pause before what memory owes is handed to the log, while it takes none. */
const RELOG_MS = 1_000
/** Most owed groups that are handed to the log at once. */
const RELOG_GROUPS_MAX = 64

/** A write that is appended to the log by itself. */
export interface WalWrite {
  readonly key: string
  /** Anything of JSON; `undefined`, or left out: the key is deleted. */
  readonly value?: unknown
}

/**
 * The log with what it could not take, and the workers that bring both to the databases: *flush* to
 * the backup, *catch-up* to the primary. Nothing acknowledged leaves it before both places have it.
 */
export class WALManager {
  readonly #env: Env
  #wal: WAL | undefined
  readonly #options: Required<WALManagerOptions>
  readonly #owed = new Owed()
  readonly #open = new OpenTickets()
  readonly #keeper: TicketKeeper
  #workers: Record<DatabasePlace, FlushWorker> | undefined
  #relogging = false
  #durable = false
  #opened = false
  #stop = new AbortController()
  #tick: ((key: string) => Stamp) | undefined
  #target: FlushTarget | undefined

  /** Without a `wal` only memory remembers what a place lacks: for two-database strategies. */
  constructor(env: Env, wal: WAL | undefined, options: WALManagerOptions = {}) {
    checkEnv(env)
    if (wal !== undefined) WAL_OPTION.check('wal', wal)
    this.#env = env
    this.#wal = wal
    this.#options = resolve('', options, MANAGER_OPTIONS)
    const current = (): WAL | undefined => this.#wal
    this.#keeper = {
      get wal() {
        return current()
      },
      owe: (ticket) => this.#owe(ticket),
      settled: (ticket) => this.#settled(ticket),
    }
  }

  /** From now on values are encrypted before they reach the log, where there are keys. Only before `open`. */
  encryptWith(cipher: ValueCipher): void {
    if (this.#wal !== undefined) this.#wal = new EncryptedWal(this.#wal, cipher)
  }

  /** A store has it from here to `close`: its clock stamps what `append` appends. */
  take(tick: (key: string) => Stamp): void {
    if (this.#tick !== undefined && this.#tick !== tick) {
      throw invalid('walManager: another store has this log until it disconnects')
    }
    this.#tick = tick
  }

  /** True when there is a log at all. */
  hasLog(): boolean {
    return this.#wal !== undefined
  }

  /** True when an acknowledged entry survives the process and, with an honest disk, the machine. */
  isDurable(): boolean {
    return this.#wal?.shared?.isDurable() ?? this.#durable
  }

  /** True when other processes append to the log as well. */
  isShared(): boolean {
    return this.#wal?.shared !== undefined
  }

  /** True while saves are refused because the log cannot take them. */
  isRequired(): boolean {
    return this.#wal !== undefined && this.#options.onWalDown === 'refuse'
  }

  /** True when the log can be appended to, as far as is known. */
  isUp(): boolean {
    return this.#wal?.stats().state === 'open'
  }

  /** True when one of these servers keeps the log too: its copy is then no copy of its own. */
  isOnServer(serverIds: readonly string[]): boolean {
    const own = this.#wal?.shared?.serverIds() ?? []
    return serverIds.some((id) => own.includes(id))
  }

  /** @param onForgotten `WAL.onForgotten`. */
  async open(
    writer: string,
    onForgotten: (places: readonly DatabasePlace[]) => void = () => {},
  ): Promise<WalOpened> {
    this.#stop = new AbortController()
    const opened = (await this.#wal?.open(writer)) ?? { ceilingMs: 0, formerWriters: [] }
    this.#opened = true
    this.#durable = this.#wal?.stats().durable ?? false
    this.#wal?.onReadable((place) => this.#workers?.[place].wake())
    this.#wal?.onForgotten?.(onForgotten)
    return opened
  }

  /** Closes the log. Call `stopFlushWorker` first; what memory still owes is lost with it. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#wal?.close()
    this.#tick = this.#target = undefined
  }

  /** Earlier incarnations of this process and of others whose logs it took over: they are dead. */
  formerWriters(): readonly string[] {
    return this.#wal?.formerWriters() ?? []
  }

  /** True until the log has been opened once: whether it is durable is not known yet. */
  isUnknown(): boolean {
    return this.#wal !== undefined && !this.#opened
  }

  /**
   * Starts a group's way. Refuses with `OVERLOADED`, before any effect, when the log is full of what
   * some place lacks or when memory owes too much.
   */
  issue(operations: readonly Operation[]): Ticket {
    if (this.#wal?.isFull() === true) {
      throw new StorageError('OVERLOADED', fullness(this.#wal.stats()), { place: 'wal' })
    }
    if (this.#owed.bytes >= this.#options.owedBytesMax) {
      const limit = this.#options.owedBytesMax
      throw new StorageError(
        'OVERLOADED',
        `the log is out, and memory already holds ${this.#owed.bytes} bytes that a database lacks (limit ${limit})`,
        { place: 'wal' },
      )
    }
    return this.#issued(operations)
  }

  /** One place has these for good: the other one is owed them, however full the log is. */
  owe(has: DatabasePlace, operations: readonly Operation[]): void {
    if (operations.length === 0) return
    const ticket = this.#issued(operations)
    ticket.applied(has)
    ticket.acknowledge()
  }

  /**
   * Appends a write by itself, for write strategies of an application's own. Resolves when the log has it;
   * the workers bring it to both databases, unless something newer is there.
   *
   * @throws StorageError `UNSUPPORTED` when there is no log, `CLOSED` before a store has opened it,
   * `OVERLOADED` when it is full; otherwise with an unknown effect.
   */
  async append(entry: WalWrite): Promise<void> {
    const { key, value } = entry
    if (this.#wal === undefined) throw new StorageError('UNSUPPORTED', 'there is no log')
    if (this.#tick === undefined || !this.#opened) {
      throw new StorageError('CLOSED', 'a store opens the log when it connects')
    }
    checkText('key', key, KEY_BYTES_MAX)
    const text = value === undefined ? undefined : encodeJson(value)
    const stamp = this.#tick(key)
    const operation: Operation =
      text === undefined ? { kind: 'delete', key, stamp } : { kind: 'set', key, value: text, stamp }
    const ticket = this.issue([operation])
    try {
      await ticket.log()
    } catch (error) {
      ticket.void()
      throw error
    }
    ticket.acknowledge()
  }

  /** The same as `append`. */
  async write(entry: WalWrite): Promise<void> {
    await this.append(entry)
  }

  /** True when this process knows of something that the place lacks; `pending` may know more. */
  hasPending(place: DatabasePlace, key: string): boolean {
    return this.#wal?.hasPending(place, key) === true || this.#owed.has(place, key)
  }

  /**
   * Operations on the key that the place lacks: those that this process knows of and, in a shared log
   * that can be reached, those of all others. A snapshot.
   *
   * @throws StorageError `TIMEOUT` with effect `none` when the log does not answer in time.
   */
  async pending(place: DatabasePlace, key: string): Promise<readonly Operation[]> {
    const owed = this.#owed.pending(place, key)
    return [...(await this.#logged(place, key, (wal) => wal.pending(place, key))), ...owed]
  }

  /** Those of `pending` that are about these ids, and its deletes: no dearer in a long outage. */
  async pendingOf(
    place: DatabasePlace,
    key: string,
    ids: ReadonlySet<string>,
  ): Promise<readonly Operation[]> {
    const owed = ofIds(this.#owed.pending(place, key), ids)
    const logged = this.#logged(place, key, (wal) => pendingOf(wal, place, key, ids))
    return [...(await logged), ...owed]
  }

  /** Those of the keys that `pending` may have something for: of a shared log in one round trip. */
  async pendingAmong(place: DatabasePlace, keys: readonly string[]): Promise<readonly string[]> {
    const others = new Set(await this.#wal?.shared?.pendingKeys(place))
    return keys.filter((key) => others.has(key) || this.hasPending(place, key))
  }

  /** Keys that `pending` may have something for. */
  async pendingKeys(place: DatabasePlace): Promise<Set<string>> {
    const shared = this.#wal?.shared
    const keys = new Set(
      shared === undefined ? this.#wal?.pendingKeys(place) : await shared.pendingKeys(place),
    )
    for (const key of this.#owed.keys(place)) keys.add(key)
    return keys
  }

  /**
   * True while this process knows of something that the place lacks and that no call in flight is
   * about to bring, or that the backup holds with this process's hint.
   */
  owes(place: DatabasePlace): boolean {
    if (this.#owed.count(place) > 0) return true
    for (const ticket of this.#open) if (ticket.hinted && ticket.lacks(place)) return true
    if (this.#wal === undefined) return false
    return this.#wal.readable(place) > 0 || this.#wal.stats().places[place].quarantinedEntries > 0
  }

  /** True when the place lacks enough for a batch of so many entries. */
  isBehind(place: DatabasePlace, entries: number): boolean {
    const readable = this.#wal?.readable(place) ?? 0
    return readable + this.#owed.count(place) >= entries
  }

  /**
   * The oldest work for a place: what memory owes first, since it is the least safe. What the place refused
   * of that comes once there is nothing else.
   */
  async read(place: DatabasePlace, limit: number): Promise<PendingBatch> {
    const owed = this.#owed.take(place, limit)
    const room = limit - owed.length
    const isEmpty = room <= 0 || (this.#wal?.readable(place) ?? 0) === 0
    const entries = isEmpty ? [] : await this.#wal!.read(place, room)
    if (owed.length > 0 || entries.length > 0) return { owed, entries }
    return { owed: this.#owed.take(place, limit, true), entries }
  }

  acknowledge(place: DatabasePlace, { entries, owed }: PendingBatch): void {
    if (entries.length > 0) {
      this.#wal!.acknowledge(
        place,
        entries.map(({ lsn }) => lsn),
      )
    }
    for (const ticket of owed) ticket.applied(place)
  }

  async quarantine(place: DatabasePlace, entry: WalEntry, reason: string): Promise<void> {
    await this.#wal!.quarantine(place, entry.lsn, reason)
    this.#env.logger.error({ place, lsn: entry.lsn, reason }, 'entry quarantined')
  }

  refuse(place: DatabasePlace, ticket: Ticket): void {
    this.#owed.refuse(place, ticket)
  }

  /** Sends once more what places refused for good; resolves with how many entries. */
  async retryQuarantined(): Promise<number> {
    let count = 0
    for (const place of DATABASE_PLACES) {
      const retried = (await this.#wal?.retryQuarantined?.(place)) ?? 0
      if (retried > 0) this.wake(place)
      count += retried
    }
    return count
  }

  /** What places refused for good, as far as the log tells. */
  async refused(): Promise<readonly RefusedEntry[]> {
    const lists = DATABASE_PLACES.map(async (place) => (await this.#wal?.refused?.(place)) ?? [])
    return (await Promise.all(lists)).flat()
  }

  /** The place lost its data: everything still kept is pending for it again. */
  resend(place: DatabasePlace): void {
    this.#wal?.resend(place)
    for (const ticket of new Set([...this.#owed.all(), ...this.#open])) ticket.lost(place)
    this.#workers?.[place].wake()
  }

  /** Cursor to store with the place's data: everything up to it has been applied there. */
  cursor(place: DatabasePlace): number {
    return this.#wal?.stats().places[place].cursor ?? 0
  }

  /**
   * Starts bringing what is pending to the databases. A store does it when it connects; until it disconnects this
   * may be called without a target, to go on after `stopFlushWorker`. Without a store it does nothing.
   */
  startFlushWorker(target: FlushTarget | undefined = this.#target): void {
    if (target === undefined) return
    this.#target = target
    if (this.#workers !== undefined) return
    const { flushIntervalMs, gatherMs, batchEntries } = this.#options
    const common = { source: this, target, flushIntervalMs, batchEntries }
    const worker = (place: DatabasePlace, gather: number): FlushWorker =>
      new FlushWorker(this.#env, { ...common, place, gatherMs: gather })
    // What waits for the primary is wanted there at once: readers of other processes lack it.
    this.#workers = { primary: worker('primary', 0), backup: worker('backup', gatherMs) }
    for (const place of DATABASE_PLACES) this.#workers[place].start()
  }

  /** Applies what is pending until `deadlineMs`, then stops. What is left stays in the log. */
  async stopFlushWorker(deadlineMs = 5_000): Promise<void> {
    const workers = this.#workers
    if (workers === undefined) return
    await Promise.all(DATABASE_PLACES.map((place) => workers[place].drain(deadlineMs)))
    await Promise.all(DATABASE_PLACES.map((place) => workers[place].stop()))
    this.#workers = undefined
  }

  /** Resolves when all that was pending at the call is applied, or rejects at the deadline. */
  async flush(deadlineMs = 30_000): Promise<void> {
    if (this.#workers === undefined) throw new StorageError('CLOSED', 'the flush worker is stopped')
    const workers = this.#workers
    const left = await Promise.all(
      DATABASE_PLACES.map(async (place) => ({
        place,
        done: await workers[place].drain(deadlineMs),
        error: workers[place].lastError,
      })),
    )
    const late = left.find(({ done }) => !done)
    if (late === undefined) return
    const why = late.error === undefined ? '' : `: ${messageOf(late.error)}`
    throw new StorageError(
      'UNAVAILABLE',
      `the ${late.place} has not taken everything within ${deadlineMs} ms${why}`,
      { place: late.place, cause: late.error },
    )
  }

  /** A place answered again: what is pending for it is tried at once. */
  wake(place: DatabasePlace): void {
    this.#workers?.[place].retryNow()
  }

  /** A mark for `hasReached`: everything that is pending now. */
  mark(): FlushMark {
    return { head: this.#wal?.stats().head ?? 0, owed: this.#owed.all() }
  }

  /** True when the place has everything of the mark, quarantined entries aside. */
  hasReached(place: DatabasePlace, { head, owed }: FlushMark): boolean {
    if (owed.some((ticket) => ticket.lacks(place) && !ticket.isLogged())) return false
    if (this.#wal === undefined) return true
    return (this.#wal.oldest(place) ?? head + 1) > head
  }

  /**
   * Takes payloads out of the log (`WAL.erase`). What memory alone has of them is on its way to a place
   * or to the log, and is pending: try again.
   */
  async erase(throughOf: ThroughOf): Promise<WalErased> {
    const inMemory = [...this.#open, ...this.#owed.all()].filter((ticket) =>
      ticket.operations.some((operation) => isErased(operation, throughOf)),
    ).length
    const pending = inMemory === 0 ? [] : [`${inMemory} groups in memory that are on their way`]
    if (this.#wal === undefined) return { count: 0, pending, remains: [] }
    if (this.#wal.erase === undefined) {
      const remains = ['entries of the log, which cannot erase, until it lets go of them']
      return { count: 0, pending, remains }
    }
    const erased = await this.#wal.erase(throughOf)
    return { ...erased, pending: [...pending, ...erased.pending] }
  }

  /** The oldest entries that the backup lacks. */
  async getUnflushedEntries(limit = 1_000): Promise<readonly WalEntry[]> {
    return (await this.#wal?.read('backup', limit)) ?? []
  }

  getStats(): WalManagerStats {
    return {
      log: this.#wal?.stats(),
      owedGroups: this.#owed.size,
      owedBytes: this.#owed.bytes,
      inFlight: this.#open.size,
      lastErrors: {
        primary: this.#workers?.primary.lastError,
        backup: this.#workers?.backup.lastError,
      },
    }
  }

  /**
   * Lets go of entries older than a time. An entry that some place lacks is never removed, and the
   * others are removed by themselves, so there is nothing left to do: the count is always 0.
   */
  async cleanup(_beforeTimestamp: number): Promise<number> {
    return 0
  }

  async #logged(
    place: DatabasePlace,
    key: string,
    ask: (wal: WAL) => Promise<readonly Operation[]>,
  ): Promise<readonly Operation[]> {
    const wal = this.#wal
    if (wal === undefined || (!this.isShared() && !wal.hasPending(place, key))) return []
    const options = { place: 'wal', effect: 'none' } as const
    return await withDeadline(this.#env, PENDING_MS, 'the log', ask(wal), options)
  }

  #issued(operations: readonly Operation[]): Ticket {
    const ticket = new Ticket(this.#keeper, operations)
    this.#open.add(ticket)
    return ticket
  }

  #owe(ticket: Ticket): void {
    this.#owed.add(ticket)
    for (const place of DATABASE_PLACES) {
      if (ticket.lacks(place) && !ticket.isSending(place)) this.#workers?.[place].wake()
    }
    if (this.#wal !== undefined && !this.#relogging) void this.#relog(this.#wal)
  }

  #settled(ticket: Ticket): void {
    this.#owed.settle(ticket)
    if (!ticket.isOpen()) this.#open.delete(ticket)
    else this.#open.add(ticket)
  }

  /** Hands what memory owes to the log as soon as it works again. */
  async #relog(wal: WAL): Promise<void> {
    this.#relogging = true
    const { signal } = this.#stop
    try {
      let isTaking = false
      while (this.#owed.size > 0 && !signal.aborted) {
        if (!isTaking) await sleep(this.#env, RELOG_MS, signal)
        isTaking = false
        if (wal.stats().state !== 'open') continue
        const tickets = this.#owed.first(RELOG_GROUPS_MAX)
        const outcomes = await Promise.allSettled(tickets.map((ticket) => ticket.log()))
        for (const outcome of outcomes) {
          if (outcome.status === 'fulfilled') continue
          this.#env.logger.warn({ error: messageOf(outcome.reason) }, 'the WAL is still out')
          break
        }
        // At once the next ones: what memory alone owes is lost with the process.
        isTaking = tickets.every((ticket) => ticket.isLogged())
      }
    } finally {
      this.#relogging = false
    }
  }
}

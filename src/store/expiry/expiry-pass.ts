/*
 * Removes what has expired. Reads leave it out by then, so nothing waits for this; it only frees the space.
 *
 *   1  the lists of the spans of time that are over are read (`expiry-keys.ts`); what they name is due.
 *   2  of each key the value goes, through its own stamp, and each item, up to its own position, if what stands
 *      has expired by every clock: what was set anew, or edited, meanwhile stays.
 *   3  the mark of the key goes, through the stamp that it had before, unless something else expires there.
 *   4  what was worked off goes from the list.
 *
 * All of it is merged and may be repeated, by several processes too: a lease only saves the work.
 */
import { BackgroundLoop } from '../../core/background-loop.ts'
import { isOutage, messageOf } from '../../core/errors.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { isRemoved, itemValue, type Item } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import { mapLimited } from '../../core/semaphore.ts'
import { sleep } from '../../core/time.ts'
import type { StoreContext } from '../../strategy/context.ts'
import type { ReadPort } from '../../strategy/read/read-port.ts'
import type { WriteGroup, WriteOutcome } from '../../strategy/write/write-port.ts'
import { WorkLease } from '../../sync/work-lease.ts'
import { expiryOf, isExpired } from './expiring-text.ts'
import { DUE_PREFIX, markKey, parseDueEntry, spanEnd } from './expiry-keys.ts'

/** From the end of one pass to the next, in each process. Milliseconds; spread by a half. */
const INTERVAL_MS = 3_600_000
/** After the end of a span, for what was written late. Milliseconds. */
const GRACE_MS = 60_000
/** Entries of a list that are worked off at once. */
const ENTRIES_AT_ONCE = 200
/** Keys that are looked at at once. */
const KEYS_AT_ONCE = 16
/** Pages of a list that are looked through for another item that expires. */
const WALK_PAGES_MAX = 10
const LEASE_NAME = 'expiry'
const WORK = 'the removal of what has expired'

export interface ExpiryParts {
  readonly context: StoreContext
  /** Reads that also show what has expired. */
  readonly read: ReadPort
  readonly write: (group: WriteGroup) => Promise<WriteOutcome>
  /** Runs what a caller waits for. */
  readonly run: <T>(work: () => Promise<T>) => Promise<T>
}

/** What one pass did. */
export interface ExpiryReport {
  /** Values that went. */
  readonly values: number
  /** Items that went. */
  readonly items: number
  /** Entries that a place that was away kept from being looked at; the next pass goes on. */
  readonly unfinished: number
  /** False: another process was at it, and this one did nothing. */
  readonly ran: boolean
}

/** With one database the work is not shared out: it is small, and harmless twice. */
const ALONE = { check: () => {}, release: async () => {} }

interface Tally {
  values: number
  items: number
  unfinished: number
}

/** The pass, and the loop that makes one an hour. */
export class ExpiryPass {
  readonly #parts: ExpiryParts
  readonly #background = new BackgroundLoop()

  constructor(parts: ExpiryParts) {
    this.#parts = parts
  }

  start(): void {
    this.#background.start((signal) => this.#loop(signal))
  }

  async stop(): Promise<void> {
    await this.#background.stop()
  }

  /** One pass now. @throws StorageError `UNAVAILABLE` while clocks disagree or a database is away. */
  async run(): Promise<ExpiryReport> {
    return await this.#parts.run(() => this.#pass())
  }

  async #pass(): Promise<ExpiryReport> {
    const { context, read } = this.#parts
    const { signal } = this.#background
    const tally: Tally = { values: 0, items: 0, unfinished: 0 }
    const [first] = await this.#dueKeys()
    // Where nothing is due no clock need be asked, and no lease be taken.
    if (first === undefined) return { ...tally, ran: true }
    await context.monitor.checkClocks(WORK)
    const { backup } = context.places
    const lease = backup.isAbsent ? ALONE : await WorkLease.take(context, LEASE_NAME)
    if (lease === undefined) return { ...tally, ran: false }
    try {
      for (const dueKey of await this.#dueKeys()) {
        if (signal.aborted) break
        await this.#workOff(read, dueKey, lease, tally, signal)
      }
    } finally {
      await lease.release()
    }
    return { ...tally, ran: true }
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { env } = this.#parts.context
    while (!signal.aborted) {
      await sleep(env, INTERVAL_MS * (0.5 + env.random()), signal)
      if (signal.aborted) return
      try {
        await this.#pass()
      } catch (error) {
        env.logger[isOutage(error) ? 'debug' : 'warn'](
          { error: messageOf(error) },
          `${WORK} failed`,
        )
      }
    }
  }

  /** The lists of the spans that are over by every clock, at most a page of them. */
  async #dueKeys(): Promise<readonly string[]> {
    const { context, read } = this.#parts
    const nowMs = context.monitor.clocks.earliestMs()
    const query = { prefix: DUE_PREFIX, limit: PAGE_ITEMS_MAX }
    const { keys } = await read.listKeys(context, query)
    return keys.filter((key) => spanEnd(key) + GRACE_MS <= nowMs)
  }

  async #workOff(
    read: ReadPort,
    dueKey: string,
    lease: Pick<WorkLease, 'check'>,
    tally: Tally,
    signal: AbortSignal,
  ): Promise<void> {
    const { context } = this.#parts
    while (!signal.aborted) {
      lease.check()
      const query = { key: dueKey, limit: ENTRIES_AT_ONCE, order: 'oldest' } as const
      const { items, done, complete } = await read.readItems(context, query)
      const last = items.at(-1)
      if (last === undefined) return
      const due = idsByKey(items)
      const settled = await mapLimited([...due], KEYS_AT_ONCE, ([key, ids]) =>
        this.#settle(key, [...ids], tally),
      )
      const left = settled.filter((isSettled) => !isSettled).length
      tally.unfinished += left
      if (left > 0 || !complete) return
      await this.#merge([{ kind: 'delete', key: dueKey, stamp: last.position }])
      if (done) return
    }
  }

  /** False when what is there could not be seen whole: then the entry stays. */
  async #settle(key: string, ids: readonly string[], tally: Tally): Promise<boolean> {
    const { context, read } = this.#parts
    const nowMs = context.monitor.clocks.earliestMs()
    // First: a mark that is set anew while we look has a greater stamp, and stays.
    const mark = await read.readRegister(context, markKey(key))
    const value = await read.readRegister(context, key)
    const found = await read.readItemsById(context, key, ids)
    if (!mark.complete || !value.complete || !found.complete) return false
    const gone = found.items.filter((item) => hasExpired(item, nowMs))
    const removals = gone.map(({ id, position }): Operation => {
      const stamp = context.clock.tick(key)
      return { kind: 'put', change: 'remove', key, id, position, stamp }
    })
    const { register } = value
    const isValueDue = register !== undefined && isExpired(register.value, nowMs)
    const isAlone = isValueDue ? await this.#isAlone(key, register.stamp) : false
    if (isAlone === undefined) return false
    const isFree = isValueDue && isAlone
    const operations = [...removals]
    // A clear at the stamp of the value takes nothing but that: what is set later stands above it.
    if (isFree) operations.push({ kind: 'delete', key, stamp: register.stamp })
    const stays = register !== undefined && !isFree && expiryOf(register.value) !== undefined
    const isLast = stays ? false : await this.#hasNoOther(key, new Set(gone.map(({ id }) => id)))
    if (isLast === undefined) return false
    if (isLast && mark.register !== undefined) {
      operations.push({ kind: 'delete', key: markKey(key), stamp: mark.register.stamp })
    }
    await this.#merge(operations)
    tally.items += removals.length
    if (isFree) tally.values++
    return true
  }

  /** True when no item stands where a clear at this stamp would take it along; undefined: it could not be seen. */
  async #isAlone(
    key: string,
    stamp: NonNullable<Item['appendedAt']>,
  ): Promise<boolean | undefined> {
    const { context, read } = this.#parts
    const query = { key, before: stamp, limit: 1, order: 'newest' } as const
    const { items, complete } = await read.readItems(context, query)
    return items.length > 0 || complete ? items.length === 0 : undefined
  }

  /** True when no item expires but these; undefined: as above. A long list is not looked through to its end. */
  async #hasNoOther(key: string, gone: ReadonlySet<string>): Promise<boolean | undefined> {
    const { context, read } = this.#parts
    let before: Item['appendedAt']
    for (let i = 0; i < WALK_PAGES_MAX; i++) {
      const query = { key, limit: PAGE_ITEMS_MAX, order: 'newest' } as const
      const page = await read.readItems(context, {
        ...query,
        ...(before !== undefined && { before }),
      })
      if (!page.complete) return undefined
      const isOther = ({ id }: Item): boolean => !gone.has(id)
      if (page.items.some((item) => isOther(item) && expires(item))) return false
      if (page.done) return true
      before = page.items.at(-1)?.position
    }
    return false
  }

  async #merge(operations: readonly Operation[]): Promise<void> {
    if (operations.length === 0) return
    await this.#parts.write({ operations, unique: false, mergeOnly: true })
  }
}

/** What the entries name, by key. */
function idsByKey(items: readonly Item[]): Map<string, Set<string>> {
  const due = new Map<string, Set<string>>()
  for (const item of items) {
    const entry = parseDueEntry(itemValue(item)!)
    if (entry === undefined) continue
    const ids = due.get(entry.key) ?? new Set()
    for (const id of entry.ids ?? []) ids.add(id)
    due.set(entry.key, ids)
  }
  return due
}

function hasExpired(item: Item, nowMs: number): boolean {
  return !isRemoved(item) && isExpired(itemValue(item) ?? '', nowMs)
}

function expires(item: Item): boolean {
  return expiryOf(itemValue(item) ?? '') !== undefined
}

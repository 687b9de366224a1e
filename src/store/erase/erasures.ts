/*
 * Erasing: a clear whose payloads also leave the logs, the caches and the engines' free space.
 *
 *   1  one atomic group: the record of the erase and, for one key, its tombstone. From here on the erase
 *      goes on, whatever dies: each process reads the records when it starts and every POLL_MS.
 *   2  of a prefix: a tombstone for each key, then the record says so.
 *   3  cache, log, primary and backup each sign off in the record, in any order, as soon as they can.
 *      Where a database lacks the clear and no log owes it, step 1 was cut short: it is written again.
 *   4  the record says that the erase is complete. It is kept for KEEP_MS, for processes and logs that
 *      were away: each process that starts takes the payloads out of its own log once more, those of all
 *      erases in one pass. A complete record does not change, so a process reads it once.
 *
 * Every step may be repeated: payloads are taken by stamp, and what is saved after the erase has
 * greater ones.
 */
import { BackgroundLoop } from '../../core/background-loop.ts'
import { isStorageError, messageOf } from '../../core/errors.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import type { Stamp } from '../../core/stamp.ts'
import { sleep } from '../../core/time.ts'
import type { StoreContext } from '../../strategy/context.ts'
import type { ReadPort } from '../../strategy/read/read-port.ts'
import type { WriteGroup, WriteOutcome } from '../../strategy/write/write-port.ts'
import { ERASE_STAGES, type EraseReceipt, type EraseStage } from './erase-receipt.ts'
import {
  ERASURE_PREFIX,
  erasureKey,
  parseRecord,
  receiptOf,
  recordOperation,
  targetsOf,
  type EraseScope,
  type ErasureRecord,
  type LeftItem,
} from './erasure-record.ts'
import { throughOfAll } from './through-of.ts'
import { unclearedAt } from './uncleared-at.ts'

/** How often each process looks for erases of others. */
const POLL_MS = 10_000
/** How often it tries again what is pending. */
const RETRY_MS = 2_000
/** The same while somebody waits. */
const WAIT_POLL_MS = 200
/** How long a record outlives its erase. */
const KEEP_MS = 30 * 86_400_000
/** Keys of a prefix that are cleared at once, and records that are read at once. */
const KEYS_AT_ONCE = 16

export interface ErasuresParts {
  readonly context: StoreContext
  readonly read: ReadPort
  readonly write: (group: WriteGroup) => Promise<WriteOutcome>
  readonly purge: (place: DatabasePlace) => Promise<readonly string[]>
  readonly onError: (task: string, error: unknown) => void
}

/** What this process knows of an erase. */
interface Progress {
  /** This process's own log and memory are done. */
  own: boolean
  /** Keys that lack the clear in a database, and no log brings it: whoever began the erase died early. */
  lost: readonly string[]
  /** Keys of a prefix that this process cleared. */
  keys: readonly string[] | undefined
  readonly reasons: Map<EraseStage, readonly string[]>
}

export class Erasures {
  readonly #parts: ErasuresParts
  readonly #progress = new Map<string, Progress>()
  /** Records that are complete, by their keys: nobody changes those. */
  #complete: ReadonlyMap<string, ErasureRecord> = new Map()
  readonly #background = new BackgroundLoop()
  #turn: Promise<unknown> = Promise.resolve()
  #open = 0

  constructor(parts: ErasuresParts) {
    this.#parts = parts
  }

  /** Erases that are not complete, as of the last look. */
  get pending(): number {
    return this.#open
  }

  start(): void {
    this.#background.start((signal) => this.#loop(signal))
  }

  async stop(): Promise<void> {
    await this.#background.stop()
    await this.#turn
  }

  /**
   * Begins an erase and follows it until it is complete or the deadline has passed; it goes on by
   * itself.
   *
   * @throws StorageError `UNAVAILABLE` for a prefix while clocks disagree, and as a write does: then it has not begun, or, with effect `unknown`, it may have.
   */
  async erase(
    scope: EraseScope,
    targets: readonly string[],
    deadlineMs: number,
    left: readonly LeftItem[] = [],
  ): Promise<EraseReceipt> {
    const { env, monitor } = this.#parts.context
    // Up to which stamp its keys are cleared is known before they are: a clock that is behind would spare some.
    if (scope === 'prefix') await monitor.checkClocks('the erase of a prefix')
    let record = await this.#begin(scope, targets, left)
    await env.failpoints.hit('erase.begun')
    const until = env.monotonic() + deadlineMs
    for (;;) {
      record = await this.#inTurn(() => this.#step(record))
      const left = until - env.monotonic()
      if (record.completedAtMs !== undefined || left <= 0 || this.#background.signal.aborted) break
      await sleep(env, Math.min(left, WAIT_POLL_MS), this.#background.signal)
    }
    return receiptOf(record, this.#progress.get(record.id)?.reasons)
  }

  /** Erases of the last 30 days whose targets begin with this, the oldest first. */
  async list(targetPrefix: string): Promise<readonly EraseReceipt[]> {
    const records = await this.#load()
    return records
      .filter(({ target }) => target.startsWith(targetPrefix))
      .sort((a, b) => a.requestedAtMs - b.requestedAtMs)
      .map((record) => receiptOf(record, this.#progress.get(record.id)?.reasons))
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { env } = this.#parts.context
    while (!signal.aborted) {
      try {
        await this.#inTurn(() => this.#round(signal))
      } catch (error) {
        // Both databases are out, most likely, and that is told elsewhere.
        env.logger.debug({ error: messageOf(error) }, 'erases could not be looked for')
      }
      await sleep(env, this.#open > 0 ? RETRY_MS : POLL_MS, signal)
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const records = await this.#load()
    for (const id of this.#progress.keys()) {
      if (!records.some((record) => record.id === id)) this.#progress.delete(id)
    }
    await this.#eraseOwn(records)
    const outlived = this.#outlived(records)
    for (const record of records) {
      if (signal.aborted) return
      if (outlived.includes(record)) await this.#forget(record)
      else if (record.completedAtMs === undefined) await this.#step(record)
    }
  }

  /** Takes the payloads of all complete erases out of this process's own log: one pass, once. */
  async #eraseOwn(records: readonly ErasureRecord[]): Promise<void> {
    const left = records.filter(({ id, completedAtMs }) => {
      return completedAtMs !== undefined && !this.#progressOf(id).own
    })
    if (left.length === 0) return
    try {
      const { pending } = await this.#parts.context.log.erase(throughOfAll(left))
      if (pending.length === 0) for (const { id } of left) this.#progressOf(id).own = true
    } catch (error) {
      // The next round tries again; what others wait for goes on.
      this.#parts.onError('erase', error)
    }
  }

  /** Records that no process or log can need any more; none while the clocks disagree. */
  #outlived(records: readonly ErasureRecord[]): readonly ErasureRecord[] {
    const { clocks } = this.#parts.context.monitor
    if (!clocks.status().agree) return []
    const beforeMs = clocks.earliestMs() - KEEP_MS
    return records.filter(({ completedAtMs }) => (completedAtMs ?? beforeMs) < beforeMs)
  }

  async #forget({ id }: ErasureRecord): Promise<void> {
    const key = erasureKey(id)
    const stamp = this.#parts.context.clock.tick(key)
    await this.#write([{ kind: 'delete', key, stamp }])
  }

  async #load(): Promise<ErasureRecord[]> {
    const { context, read } = this.#parts
    const records: ErasureRecord[] = []
    const complete = new Map<string, ErasureRecord>()
    let after: string | undefined
    for (;;) {
      const page = await read.listKeys(context, {
        prefix: ERASURE_PREFIX,
        limit: PAGE_ITEMS_MAX,
        ...(after !== undefined && { after }),
      })
      for (let i = 0; i < page.keys.length; i += KEYS_AT_ONCE) {
        const part = page.keys.slice(i, i + KEYS_AT_ONCE)
        const found = await Promise.all(part.map((key) => this.#record(key)))
        for (const record of found) if (record !== undefined) records.push(record)
      }
      after = page.keys.at(-1)
      if (page.done || after === undefined) break
    }
    for (const record of records) {
      if (record.completedAtMs !== undefined) complete.set(erasureKey(record.id), record)
    }
    this.#complete = complete
    this.#open = records.filter(({ completedAtMs }) => completedAtMs === undefined).length
    return records
  }

  async #record(key: string): Promise<ErasureRecord | undefined> {
    const known = this.#complete.get(key)
    if (known !== undefined) return known
    const { context, read } = this.#parts
    const { register } = await read.readRegister(context, key)
    return register && parseRecord(key, register)
  }

  async #begin(
    scope: EraseScope,
    [target = '', ...also]: readonly string[],
    left: readonly LeftItem[],
  ): Promise<ErasureRecord> {
    const { env, clock } = this.#parts.context
    const id = Buffer.from(env.randomBytes(9)).toString('base64url')
    const requestedAtMs = clock.now()
    const stored = { scope, target, also, requestedAtMs, cleared: scope === 'key', signed: {} }
    const operations: Operation[] = [recordOperation(id, stored, clock.tick(target))]
    // The record first: what it takes lies at or below its own stamp, and so below the tombstone's.
    if (scope === 'key') {
      for (const key of [target, ...also]) {
        operations.push({ kind: 'delete', key, stamp: clock.tick(key) })
      }
    }
    for (const { key, id } of left) {
      const position = clock.tick(key)
      operations.push({ kind: 'put', change: 'remove', key, id, position, stamp: position })
    }
    const outcome = await this.#write(operations)
    this.#open++
    return { id, ...stored, through: outcome.operations[0]!.stamp }
  }

  /** Does what can be done now. Throws nothing: what failed is in the reasons. */
  async #step(record: ErasureRecord): Promise<ErasureRecord> {
    const progress = this.#progressOf(record.id)
    let current = record
    if (!current.cleared) current = await this.#clearPrefix(current, progress)
    if (!current.cleared) return current
    const { failpoints } = this.#parts.context.env
    current = await this.#stage(current, 'cache', () => this.#eraseCache(current, progress))
    await failpoints.hit('erase.beforeLog')
    current = await this.#stage(current, 'wal', () => this.#eraseLog(current, progress), true)
    progress.lost = []
    for (const place of DATABASE_PLACES) {
      current = await this.#stage(current, place, () => this.#erasePlace(current, place, progress))
    }
    if (progress.lost.length > 0) return await this.#clearLost(current, progress)
    if (current.completedAtMs !== undefined) return current
    if (!ERASE_STAGES.every((stage) => current.signed[stage] !== undefined)) return current
    await failpoints.hit('erase.beforeDone')
    const saved = await this.#save(current, { completedAtMs: this.#parts.context.clock.now() })
    this.#open = Math.max(0, this.#open - 1)
    return saved
  }

  /** Runs a stage unless it is done, and notes its sign-off. `own`: this process has its own part in it. */
  async #stage(
    record: ErasureRecord,
    stage: EraseStage,
    run: () => Promise<readonly string[]>,
    own = false,
  ): Promise<ErasureRecord> {
    const progress = this.#progressOf(record.id)
    if (record.signed[stage] !== undefined && !(own && !progress.own)) return record
    try {
      const remains = await run()
      progress.reasons.delete(stage)
      if (record.signed[stage] !== undefined) return record
      const atMs = this.#parts.context.clock.now()
      const signed = { ...record.signed, [stage]: { atMs, remains } }
      return await this.#save(record, { signed })
    } catch (error) {
      progress.reasons.set(stage, error instanceof Pending ? error.reasons : [messageOf(error)])
      if (!(error instanceof Pending) && !isStorageError(error)) {
        this.#parts.onError('erase', error)
      }
      return record
    }
  }

  async #clearPrefix(record: ErasureRecord, progress: Progress): Promise<ErasureRecord> {
    const { context, read } = this.#parts
    const keys: string[] = []
    let complete = true
    try {
      for (const prefix of targetsOf(record)) {
        let after: string | undefined
        for (;;) {
          const query = { prefix, limit: PAGE_ITEMS_MAX, ...(after && { after }) }
          const page = await read.listKeys(context, query)
          complete &&= page.complete
          await this.#clearAll(page.keys, record.through)
          keys.push(...page.keys)
          after = page.keys.at(-1)
          if (page.done || after === undefined) break
        }
      }
      progress.keys = keys
      if (!complete) throw new Pending('a database that may have more of it is away')
      return await this.#save(record, { cleared: true })
    } catch (error) {
      const why = [`not everything is cleared yet: ${messageOf(error)}`]
      for (const stage of ERASE_STAGES) progress.reasons.set(stage, why)
      return record
    }
  }

  /** What was lacking may meanwhile have been copied to a place that has signed off: all sign again. */
  async #clearLost(record: ErasureRecord, progress: Progress): Promise<ErasureRecord> {
    try {
      await this.#clearAll(progress.lost, record.through)
      return await this.#save(record, { signed: {} })
    } catch (error) {
      for (const place of DATABASE_PLACES) progress.reasons.set(place, [messageOf(error)])
      return record
    }
  }

  /** Up to a stamp, and not a message further: what was saved since is not of this erase. */
  async #clearAll(keys: readonly string[], through: Stamp): Promise<void> {
    for (let i = 0; i < keys.length; i += KEYS_AT_ONCE) {
      const part = keys.slice(i, i + KEYS_AT_ONCE)
      await Promise.all(
        part.map((key) => {
          const operations = [{ kind: 'delete', key, stamp: through } as const]
          return this.#parts.write({ operations, unique: false, mergeOnly: true })
        }),
      )
    }
  }

  async #eraseCache(record: ErasureRecord, { keys }: Progress): Promise<readonly string[]> {
    const { cache } = this.#parts.context
    const known = record.scope === 'key' ? targetsOf(record) : keys
    await cache?.forget(known ?? [])
    if (cache === undefined) return []
    const where = known === undefined ? 'caches and the' : 'the'
    return [`pages in ${where} memory of other processes, until their ttl ends`]
  }

  async #eraseLog(record: ErasureRecord, progress: Progress): Promise<readonly string[]> {
    const { pending, remains } = await this.#parts.context.log.erase(throughOfAll([record]))
    if (pending.length > 0) throw new Pending(...pending)
    progress.own = true
    return remains
  }

  async #erasePlace(
    record: ErasureRecord,
    place: DatabasePlace,
    progress: Progress,
  ): Promise<readonly string[]> {
    const { context, purge } = this.#parts
    if (context.places[place].isAbsent) return []
    if (!context.places[place].isUp()) throw new Pending('the place is out')
    const uncleared = await unclearedAt(context.places[place], record)
    if (uncleared.length > 0) {
      const owed = await context.log.pendingKeys(place)
      progress.lost = [...progress.lost, ...uncleared.filter((key) => !owed.has(key))]
      throw new Pending('the clear has not arrived there yet')
    }
    await context.env.failpoints.hit('erase.beforePurge')
    return await purge(place)
  }

  async #save(record: ErasureRecord, change: Partial<ErasureRecord>): Promise<ErasureRecord> {
    const next = { ...record, ...change }
    const { id, ...stored } = next
    const stamp = this.#parts.context.clock.tick(erasureKey(id))
    await this.#write([recordOperation(id, stored, stamp)])
    return next
  }

  async #write(operations: readonly Operation[]): Promise<WriteOutcome> {
    return await this.#parts.write({ operations, unique: false })
  }

  #progressOf(id: string): Progress {
    let progress = this.#progress.get(id)
    if (progress === undefined) {
      progress = { own: false, lost: [], keys: undefined, reasons: new Map() }
      this.#progress.set(id, progress)
    }
    return progress
  }

  /** One at a time: the loop and whoever waits for an erase do the same steps. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return await result
  }
}

/** Not an error: something to wait for. */
class Pending extends Error {
  readonly reasons: readonly string[]

  constructor(...reasons: readonly string[]) {
    super(reasons.join('; '))
    this.reasons = reasons
  }
}

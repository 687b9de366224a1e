import { BackgroundLoop } from '../core/background-loop.ts'
import type { Env } from '../core/env.ts'
import { isStorageError, messageOf } from '../core/errors.ts'
import type { Operation } from '../core/operation.ts'
import type { DatabasePlace } from '../core/places.ts'
import { backoffMs, sleep } from '../core/time.ts'
import { BatchSize } from './batch-size.ts'
import type { Ticket } from './ticket.ts'
import type { WalEntry } from './wal.ts'

/** Brings operations to a place. The worker calls it one batch at a time for each place. */
export interface FlushTarget {
  /** False while the place is known to be out: the worker waits instead of calling. */
  isReady(place: DatabasePlace): boolean
  /** Merges the operations. Rejects with `REJECTED` when their data can never be stored. */
  apply(place: DatabasePlace, operations: readonly Operation[], cursor: number): Promise<void>
}

/** Entries of the log or of memory that a place lacks, ready to be applied. */
export interface PendingBatch {
  readonly entries: readonly WalEntry[]
  readonly owed: readonly Ticket[]
}

/** Everything that was pending at one moment. */
export interface FlushMark {
  readonly head: number
  readonly owed: readonly Ticket[]
}

export interface FlushSource {
  read(place: DatabasePlace, limit: number): Promise<PendingBatch>
  acknowledge(place: DatabasePlace, batch: PendingBatch): void
  quarantine(place: DatabasePlace, entry: WalEntry, reason: string): Promise<void>
  /** The place refused for good what memory alone has: the next batches are without it. */
  refuse(place: DatabasePlace, ticket: Ticket): void
  cursor(place: DatabasePlace): number
  owes(place: DatabasePlace): boolean
  /** True when there is enough for a batch of so many entries. */
  isBehind(place: DatabasePlace, entries: number): boolean
  mark(): FlushMark
  hasReached(place: DatabasePlace, mark: FlushMark): boolean
}

export interface FlushWorkerOptions {
  readonly place: DatabasePlace
  readonly source: FlushSource
  readonly target: FlushTarget
  readonly flushIntervalMs: number
  readonly gatherMs: number
  /** Most entries of one batch. */
  readonly batchEntries: number
}

/** Given as the reason of every abort: without one an error with a stack is made, at each save. */
const WOKEN = 'woken'
const RETRY_FIRST_MS = 50
/** Longest pause of a worker that somebody waits for. */
const DRAIN_RETRY_MS = 50

/**
 * One loop for one place. It never overlaps itself, never marks an entry done that the place did
 * not confirm, and never gives up: a place that is out is tried again with backoff.
 */
export class FlushWorker {
  readonly #env: Env
  readonly #options: FlushWorkerOptions
  readonly #background = new BackgroundLoop()
  readonly #size: BatchSize
  /** Aborted to end the present wait early. */
  #nap = new AbortController()
  #gathering = new AbortController()
  #woken = false
  #failures = 0
  #idle: (() => void)[] = []
  #draining = 0
  lastError: unknown

  constructor(env: Env, options: FlushWorkerOptions) {
    this.#env = env
    this.#options = options
    this.#size = new BatchSize(options.batchEntries)
  }

  start(): void {
    this.#background.start((signal) => this.#loop(signal))
  }

  /** There may be work: ends the present wait. */
  wake(): void {
    this.#woken = true
    if (this.#failures === 0) this.#nap.abort(WOKEN)
  }

  /** The place answered again: ends a backoff too. */
  retryNow(): void {
    this.#failures = 0
    this.wake()
  }

  /** Resolves to true when all that is pending now was applied, to false at the deadline. */
  async drain(deadlineMs: number): Promise<boolean> {
    const { place, source } = this.#options
    const mark = source.mark()
    const until = this.#env.monotonic() + deadlineMs
    this.#draining++
    // Once: to end every pause would be a loop without a pause while the place is out, or while a
    // writer has yet to hear from it.
    this.retryNow()
    this.#gathering.abort(WOKEN)
    try {
      while (!source.hasReached(place, mark) && this.#background.isRunning) {
        const left = until - this.#env.monotonic()
        if (left <= 0) return false
        await this.#round(Math.min(left, this.#options.flushIntervalMs))
      }
      return source.hasReached(place, mark)
    } finally {
      this.#draining--
    }
  }

  /** Resolves when the loop has ended; a batch in flight is finished first. */
  async stop(): Promise<void> {
    this.#nap.abort(WOKEN)
    this.#gathering.abort(WOKEN)
    await this.#background.stop()
    this.#roundDone()
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const worked = await this.#step()
      this.#roundDone()
      if (!worked && !signal.aborted) await this.#wait()
      if (!signal.aborted) await this.#gather()
    }
  }

  /** One batch. True when there was one and it went through: there may be more. */
  async #step(): Promise<boolean> {
    const { place, source, target } = this.#options
    this.#woken = false
    if (!target.isReady(place)) {
      this.#size.out()
      if (!source.owes(place)) return false
      this.#failures++
      return false
    }
    try {
      const batch = await source.read(place, this.#size.entries)
      if (batch.entries.length === 0 && batch.owed.length === 0) {
        this.#failures = 0
        return false
      }
      const startedAt = this.#env.monotonic()
      await this.#apply(batch)
      const count = batch.entries.length + batch.owed.length
      this.#size.taken(count, this.#env.monotonic() - startedAt)
      this.#failures = 0
      this.lastError = undefined
      return true
    } catch (error) {
      if (this.#failures++ === 0) {
        this.#env.logger.warn({ place, error: messageOf(error) }, 'flush failed, will retry')
      }
      this.lastError = error
      this.#size.out()
      return false
    }
  }

  async #apply(batch: PendingBatch): Promise<void> {
    const { place, source, target } = this.#options
    await this.#env.failpoints.hit('flush.beforeApply')
    const operations = [
      ...batch.owed.flatMap((ticket) => ticket.operations),
      ...batch.entries.flatMap((entry) => entry.operations),
    ]
    try {
      await target.apply(place, operations, source.cursor(place))
    } catch (error) {
      if (!isStorageError(error, 'REJECTED')) throw error
      await this.#applySingly(batch)
      return
    }
    await this.#env.failpoints.hit('flush.afterApply')
    source.acknowledge(place, batch)
  }

  /** Finds the poisonous groups of a batch, sets them aside and lets the rest through. */
  async #applySingly({ entries, owed }: PendingBatch): Promise<void> {
    const { place, source, target } = this.#options
    const failures: unknown[] = []
    const each = async (batch: PendingBatch, refuse: (error: unknown) => Promise<void>) => {
      const { operations } = batch.entries[0] ?? batch.owed[0]!
      try {
        await target.apply(place, operations, source.cursor(place))
        source.acknowledge(place, batch)
      } catch (error) {
        if (!isStorageError(error, 'REJECTED')) throw error
        await refuse(error)
      }
    }
    for (const entry of entries) {
      await each({ entries: [entry], owed: [] }, async (error) => {
        // The log may be out: what comes behind the entry must not wait for it.
        const setAside = source.quarantine(place, entry, messageOf(error))
        await setAside.catch((failure: unknown) => failures.push(failure))
      })
    }
    for (const ticket of owed) {
      await each({ entries: [], owed: [ticket] }, async (error) => {
        // Not in the log, so it cannot be set aside: it stays owed, and readable, until it is.
        source.refuse(place, ticket)
        failures.push(error)
      })
    }
    // Another try at once would be a loop without a pause.
    if (failures.length === entries.length + owed.length) throw failures[0]
  }

  /** Waits for work, for the interval, or after a failure for the backoff. */
  async #wait(): Promise<void> {
    const failed = this.#failures > 0
    if (this.#woken && !failed) return
    this.#nap = new AbortController()
    const { flushIntervalMs } = this.#options
    const delay = failed
      ? backoffMs(this.#env, this.#failures - 1, {
          firstMs: RETRY_FIRST_MS,
          maxMs: flushIntervalMs,
        })
      : flushIntervalMs
    const longest = this.#draining > 0 ? DRAIN_RETRY_MS : delay
    await sleep(this.#env, Math.min(delay, longest), this.#nap.signal)
  }

  /**
   * A few large batches cost a place much less than many small ones. What fills a batch goes at once, and
   * somebody who waits for a drain is not kept waiting.
   */
  async #gather(): Promise<void> {
    const { place, source, gatherMs } = this.#options
    if (gatherMs === 0 || this.#failures > 0 || this.#draining > 0) return
    if (source.isBehind(place, this.#size.entries)) return
    this.#gathering = new AbortController()
    await sleep(this.#env, gatherMs, this.#gathering.signal)
  }

  async #round(limitMs: number): Promise<void> {
    const nap = new AbortController()
    this.#idle.push(() => nap.abort(WOKEN))
    await sleep(this.#env, limitMs, nap.signal)
  }

  #roundDone(): void {
    for (const done of this.#idle.splice(0)) done()
  }
}

/*
 * Follows all conversations of a tenant: those with recent messages one by one, as a follower of each would;
 * the others are found by their latest message, and now and then by going through all of them.
 */
import { remember } from '../../core/lru.ts'
import { stampMs, type Stamp } from '../../core/stamp.ts'
import { sleep } from '../../core/time.ts'
import { formatTenantCursor } from './change-cursor.ts'
import { compareAll } from './compare-all.ts'
import {
  ConversationSource,
  retrying,
  type ChangeSink,
  type SourceParts,
} from './conversation-source.ts'
import { earlier, firstStampOf, latestSince } from './latest-keys.ts'
import type { ScanQueue } from './scan-queue.ts'
import { OVERLAP_MS, Tracker, type Tracked } from './tracker.ts'

/** Conversations that are followed one by one. */
const FOLLOWED_MAX = 1_000
/** One without changes for so long is left to the list of latest messages. Milliseconds. */
const QUIET_MS = 60_000
/** Conversations that are remembered as sums. */
const PARKED_MAX = 10_000
/** Conversations that are read at the same time. */
const READ_AT_ONCE = 8
/** A follower who comes back is told again what came less than this before its cursor. Milliseconds. */
const RESUME_OVERLAP_MS = 300_000
/** From the end of one pass over all conversations to the next one. Milliseconds. */
const SWEEP_MS = 600_000
const SWEEP_PAGE = 100
/** The pause between two looks grows up to so many times while nothing changes. */
const PAUSE_FACTOR = 1.5
const PAUSES_MAX = 5

interface Followed {
  readonly tracker: Tracker
  readonly stop: AbortController
  /** `monotonic` of its last change. */
  changedMs: number
}

/** Finds the changes of all conversations of one tenant for one consumer. */
export class TenantSource {
  readonly #parts: SourceParts
  readonly #prefix: string
  readonly #scans: ScanQueue
  readonly #followed = new Map<string, Followed>()
  readonly #parked = new Map<string, Tracker>()
  /** Those that are being read. */
  readonly #beginning = new Map<string, AbortController>()
  #floor: Stamp
  #wake = new AbortController()

  constructor(parts: SourceParts, prefix: string, scans: ScanQueue) {
    this.#parts = parts
    this.#prefix = prefix
    this.#scans = scans
    this.#floor = firstStampOf(parts.store.now() - OVERLAP_MS)
    parts.signal.addEventListener('abort', () => {
      this.#wake.abort()
      for (const { stop } of this.#followed.values()) stop.abort()
      for (const stop of this.#beginning.values()) stop.abort()
    })
  }

  /** Resolves at the end of the consumer or of the store. */
  async run(since: Stamp | undefined): Promise<void> {
    const { buffer, store, signal, pollMs } = this.#parts
    if (since !== undefined) this.#floor = earlier(since, RESUME_OVERLAP_MS)
    await retrying(this.#parts, () => this.#look(since === undefined))
    buffer.push(undefined, [{ change: { type: 'ready' }, cursor: this.#cursor }])
    this.#run(this.#sweepAll())
    let quietLooks = 0
    while (!signal.aborted && !buffer.isEnded) {
      this.#wake = new AbortController()
      const pause = pollMs * Math.min(PAUSES_MAX, PAUSE_FACTOR ** quietLooks)
      await sleep(store.env, pause, this.#wake.signal)
      const found = await retrying(this.#parts, () => this.#look(false))
      quietLooks = found === 0 ? quietLooks + 1 : 0
      this.#parkQuiet()
    }
  }

  /** This process wrote to a conversation. One that is followed is told by its poller. */
  wrote(key: string): void {
    if (!this.#followed.has(key)) this.#wake.abort()
  }

  get #cursor(): string {
    return formatTenantCursor(this.#prefix, this.#floor)
  }

  /** Begins to follow conversations with new messages; resolves with how many when all are told. */
  async #look(isQuiet: boolean): Promise<number> {
    const { store, signal } = this.#parts
    const nowMs = store.now()
    const keys = await latestSince(store, this.#prefix, this.#floor)
    const fresh = keys
      .filter(({ key, latest }) => latest > this.#floor && !this.#followed.has(key))
      .map(({ key }) => key)
    for (let from = 0; from < fresh.length && !signal.aborted; from += READ_AT_ONCE) {
      const some = fresh.slice(from, from + READ_AT_ONCE)
      await Promise.all(some.map((key) => this.#begin(key, isQuiet)))
    }
    const latestMs = keys[0] === undefined ? nowMs : stampMs(keys[0].latest)
    const floor = firstStampOf(Math.min(latestMs, nowMs) - OVERLAP_MS)
    if (floor > this.#floor && this.#beginning.size === 0) this.#floor = floor
    return fresh.length
  }

  async #begin(key: string, isQuiet: boolean): Promise<void> {
    if (this.#beginning.has(key)) return
    const stop = new AbortController()
    this.#beginning.set(key, stop)
    try {
      this.#makeRoom()
      const source = this.#sourceOf(key, stop.signal)
      const tracker = await this.#trackerOf(key, source, isQuiet)
      await source.catchUp(tracker)
      this.#parked.delete(key)
      this.#followed.set(key, { tracker, stop, changedMs: this.#parts.store.env.monotonic() })
      this.#run(source.goOn(tracker))
    } finally {
      this.#beginning.delete(key)
    }
  }

  async #trackerOf(key: string, source: ConversationSource, isQuiet: boolean): Promise<Tracker> {
    const parked = this.#parked.get(key)
    if (parked !== undefined) return parked
    return isQuiet ? await source.start('now') : Tracker.behind(key, this.#floor, this.#floor)
  }

  #sourceOf(key: string, signal: AbortSignal): ConversationSource {
    const { buffer } = this.#parts
    const sink: ChangeSink = {
      push: (of: string | undefined, changes: readonly Tracked[]): void => {
        const followed = this.#followed.get(key)
        if (followed !== undefined && changes.length > 0) {
          followed.changedMs = this.#parts.store.env.monotonic()
        }
        const cursor = this.#cursor
        buffer.push(
          of,
          changes.map(({ change }) => ({ change, cursor })),
        )
      },
      room: () => buffer.room(),
      end: (error?: unknown) => buffer.end(error),
      get isFull() {
        return buffer.isFull
      },
      get isEnded() {
        return buffer.isEnded
      },
    }
    return new ConversationSource({ ...this.#parts, buffer: sink, signal }, key)
  }

  #run(work: Promise<void>): void {
    work.catch((error: unknown) => this.#parts.buffer.end(error))
  }

  #parkQuiet(): void {
    const nowMs = this.#parts.store.env.monotonic()
    for (const [key, { changedMs }] of this.#followed) {
      if (nowMs - changedMs > QUIET_MS) this.#park(key)
    }
  }

  #makeRoom(): void {
    if (this.#followed.size < FOLLOWED_MAX) return
    const quietest = [...this.#followed].sort(([, a], [, b]) => a.changedMs - b.changedMs)[0]!
    this.#park(quietest[0])
  }

  #park(key: string): void {
    const { stop, tracker } = this.#followed.get(key)!
    stop.abort()
    this.#followed.delete(key)
    tracker.park()
    remember(this.#parked, key, tracker, PARKED_MAX)
  }

  /** Passes over all conversations, slowly, for what their latest messages do not tell. */
  async #sweepAll(): Promise<void> {
    const { store, signal } = this.#parts
    while (!signal.aborted) {
      await retrying(this.#parts, () => this.#sweep())
      await sleep(store.env, SWEEP_MS, signal)
    }
  }

  async #sweep(): Promise<void> {
    const { store, signal } = this.#parts
    let after: string | undefined
    const unseen = new Set(this.#parked.keys())
    while (!signal.aborted) {
      const query = {
        prefix: this.#prefix,
        limit: SWEEP_PAGE,
        ...(after !== undefined && { after }),
      }
      const { keys, done } = await store.listKeys(query)
      for (const key of keys) {
        unseen.delete(key)
        await this.#scans.run(() => this.#examine(key))
      }
      after = keys.at(-1)
      if (done || after === undefined) break
    }
    // What is not listed any more was cleared.
    for (const key of unseen) await this.#scans.run(() => this.#examine(key))
  }

  async #examine(key: string): Promise<void> {
    const { store, buffer, signal } = this.#parts
    if (signal.aborted || this.#followed.has(key) || this.#beginning.has(key)) return
    const stop = new AbortController()
    this.#beginning.set(key, stop)
    try {
      const source = this.#sourceOf(key, stop.signal)
      const parked = this.#parked.get(key)
      const tracker = parked ?? (await source.start('now'))
      if (parked !== undefined) {
        await source.catchUp(tracker)
        const [changes] = (await compareAll(store, key, [tracker])) ?? []
        const cursor = this.#cursor
        buffer.push(
          key,
          (changes ?? []).map(({ change }) => ({ change, cursor })),
        )
      }
      tracker.park()
      remember(this.#parked, key, tracker, PARKED_MAX)
    } finally {
      this.#beginning.delete(key)
    }
  }
}

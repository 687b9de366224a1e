/*
 * Looks at one conversation for all of its followers in this process. A look reads the latest messages; now
 * and then all of them, to compare what is known of the older ones with what is there.
 */
import { isStorageError, messageOf } from '../../core/errors.ts'
import type { Item } from '../../core/merge.ts'
import { STAMP_MIN, stampFloor, stampMs, type Stamp } from '../../core/stamp.ts'
import { Deadline } from '../../core/deadline.ts'
import { backoffMs } from '../../core/time.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { FeedState } from './change.ts'
import { compareAll } from './compare-all.ts'
import { viewOf } from './reading.ts'
import type { ScanQueue } from './scan-queue.ts'
import type { Tracked, Tracker, View } from './tracker.ts'

/** Between two looks the pause grows by this factor while nothing changes, up to so many times. */
const PAUSE_FACTOR = 1.5
const PAUSES_MAX = 50
/** A look reads messages that came less than this before the latest one; others all that is known singly. */
const NEAR_MS = 3_000
const WHOLE_EVERY_MS = 1_000
/** Pages of one look. A follower who is further behind reads by itself. */
const LOOK_PAGES_MAX = 10
/** Between two comparisons of all messages; doubles while they find nothing. Milliseconds. */
const SCAN_MS = 10_000
const SCAN_MS_MAX = 300_000
/** Pauses after looks that failed. Milliseconds. */
const RETRY = { firstMs: 100, maxMs: 5_000 } as const

/** Somebody who follows a conversation, and has been told all up to now. */
export interface Follower {
  readonly tracker: Tracker
  readonly pollMs: number
  take(changes: readonly Tracked[]): void
  /** It is too far behind: it leaves, and reads by itself. */
  leave(): void
  state(state: FeedState): void
  /** The store was closed. */
  end(): void
}

/** One for each conversation that is followed. */
export class ConversationPoller {
  readonly #store: StrategicStorageManager
  readonly #key: string
  readonly #scans: ScanQueue
  readonly #onIdle: () => void
  readonly #followers = new Set<Follower>()
  #running = false
  #wake: AbortController | undefined
  /** Somebody knows that there is something: look now. */
  #isWoken = false
  #quietLooks = 0
  #latest: Stamp = STAMP_MIN
  #wholeAtMs = -Infinity
  #scanMs = SCAN_MS
  #scanAtMs = -Infinity
  #isScanning = false

  /** @param onIdle Called when its last follower has left. */
  constructor(store: StrategicStorageManager, key: string, scans: ScanQueue, onIdle: () => void) {
    this.#store = store
    this.#onIdle = onIdle
    this.#key = key
    this.#scans = scans
  }

  get isIdle(): boolean {
    return this.#followers.size === 0
  }

  /** Returns what takes the follower out again. */
  add(follower: Follower): () => void {
    this.#followers.add(follower)
    this.#scanAtMs = Math.min(this.#scanAtMs, this.#now)
    this.wake()
    if (!this.#running) void this.#run()
    return () => {
      this.#followers.delete(follower)
      if (this.isIdle) this.wake()
    }
  }

  /** Looks at once, at all that is known singly. */
  wake(): void {
    this.#isWoken = true
    this.#quietLooks = 0
    this.#wholeAtMs = -Infinity
    this.#wake?.abort()
  }

  /** Something happened that may have changed older messages. */
  scanSoon(): void {
    this.#scanMs = SCAN_MS
    this.#scanAtMs = this.#now
    this.wake()
  }

  /** What this process wrote. `hasChanged`: also something that may stand among the older ones. */
  wrote(items: readonly Item[], hasChanged: boolean): void {
    const nowMs = this.#now
    for (const follower of this.#followers) {
      follower.take(items.flatMap((item) => follower.tracker.absorbOwn(item, nowMs)))
    }
    if (hasChanged) this.scanSoon()
  }

  get #now(): number {
    return this.#store.env.monotonic()
  }

  async #run(): Promise<void> {
    this.#running = true
    let failures = 0
    while (!this.isIdle) {
      this.#isWoken = false
      let pauseMs: number
      try {
        await this.#look()
        if (failures > 0) this.#tell({ state: 'live' })
        failures = 0
        pauseMs = this.#pauseMs()
        if (this.#now >= this.#scanAtMs) void this.#scan()
      } catch (error) {
        if (isStorageError(error, 'CLOSED')) {
          for (const follower of this.#followers) follower.end()
          break
        }
        if (failures === 0) this.#tell({ state: 'waiting', error })
        pauseMs = backoffMs(this.#store.env, failures++, RETRY)
      }
      if (!this.#isWoken) await this.#pause(pauseMs)
    }
    this.#running = false
    this.#onIdle()
  }

  #pauseMs(): number {
    const shortest = Math.min(...[...this.#followers].map(({ pollMs }) => pollMs))
    return shortest * Math.min(PAUSES_MAX, PAUSE_FACTOR ** this.#quietLooks)
  }

  async #pause(ms: number): Promise<void> {
    this.#wake = new AbortController()
    const { signal } = this.#wake
    await new Promise<void>((resolve) => new Deadline(this.#store.env, ms, signal).onEnd(resolve))
  }

  #tell(state: FeedState): void {
    for (const follower of this.#followers) follower.state(state)
  }

  async #look(): Promise<void> {
    const isWhole = this.#now - this.#wholeAtMs >= WHOLE_EVERY_MS
    if (isWhole) this.#wholeAtMs = this.#now
    const floors = [...this.#followers].map(({ tracker }) => tracker.floor)
    const floor = floors.sort()[0]
    if (floor === undefined) return
    const near = stampFloor(Math.max(0, stampMs(this.#latest) - NEAR_MS))
    const after = isWhole || near < floor ? floor : near
    const view = await viewOf(this.#store, this.#key, after, LOOK_PAGES_MAX)
    if (view === undefined) for (const follower of this.#followers) follower.leave()
    else this.#show(view)
  }

  #show(view: View): void {
    const last = view.items.at(-1)?.position
    if (last !== undefined && last > this.#latest) this.#latest = last
    let isQuiet = true
    for (const follower of this.#followers) {
      const changes = follower.tracker.absorb(view)
      if (changes.length > 0) isQuiet = false
      follower.take(changes)
    }
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0
  }

  /** Compares all messages with what the followers know of them. */
  async #scan(): Promise<void> {
    if (this.#isScanning) return
    this.#isScanning = true
    try {
      this.#scanAtMs = this.#now + this.#scanMs
      await this.#scans.run(() => this.#compare())
    } catch (error) {
      // The next look tells that no place answers.
      this.#store.env.logger.debug({ error: messageOf(error) }, 'a scan will be tried again')
    } finally {
      this.#isScanning = false
    }
  }

  async #compare(): Promise<void> {
    const followers = [...this.#followers]
    const trackers = followers.map(({ tracker }) => tracker)
    const found = await compareAll(this.#store, this.#key, trackers)
    if (found === undefined) return
    let isQuiet = true
    for (const [i, follower] of followers.entries()) {
      const changes = found[i]
      if (changes?.length !== 0) isQuiet = false
      if (this.#followers.has(follower)) follower.take(changes ?? [])
    }
    if (!isQuiet) this.#scanMs = SCAN_MS
    this.#scanAtMs = this.#now + this.#scanMs
    this.#scanMs = Math.min(SCAN_MS_MAX, this.#scanMs * 2)
  }
}

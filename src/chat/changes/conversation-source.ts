import { isCallersFault, isStorageError } from '../../core/errors.ts'
import { backoffMs, sleep } from '../../core/time.ts'
import { STAMP_MIN } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { FeedState } from './change.ts'
import type { Known } from './change-cursor.ts'
import { compareAll } from './compare-all.ts'
import type { ConversationPoller, Follower } from './conversation-poller.ts'
import { viewsOf } from './reading.ts'
import { RECENT_MESSAGES, Tracker, type Tracked } from './tracker.ts'

/** Pauses after reads that failed. Milliseconds. */
const RETRY = { firstMs: 100, maxMs: 5_000 } as const

/** Where a source puts what it finds. */
export interface ChangeSink {
  push(key: string | undefined, changes: readonly Tracked[]): void
  /** The consumer is slow: it takes no more for now. */
  readonly isFull: boolean
  room(): Promise<void>
  readonly isEnded: boolean
  end(error?: unknown): void
}

/** What a source of changes works with. */
export interface SourceParts {
  readonly store: StrategicStorageManager
  readonly buffer: ChangeSink
  readonly pollMs: number
  readonly onState: (state: FeedState) => void
  readonly pollerOf: (key: string) => ConversationPoller
  /** Aborted when nobody wants them any more. */
  readonly signal: AbortSignal
}

/** Where one begins. */
export type Since = 'now' | 'beginning' | Known

/** Finds the changes of one conversation for one consumer. */
export class ConversationSource {
  readonly #parts: SourceParts
  readonly #key: string

  constructor(parts: SourceParts, key: string) {
    this.#parts = parts
    this.#key = key
  }

  /** Resolves at the end of the consumer or of the store. */
  async run(since: Since): Promise<void> {
    const { buffer } = this.#parts
    const tracker = await retrying(this.#parts, () => this.start(since))
    if (tracker === undefined) return
    await retrying(this.#parts, () => this.catchUp(tracker))
    buffer.push(this.#key, [{ change: { type: 'ready' }, cursor: tracker.cursor }])
    await this.goOn(tracker)
  }

  /** Tells what comes, to the end. */
  async goOn(tracker: Tracker): Promise<void> {
    const { buffer, signal } = this.#parts
    while (!signal.aborted && !buffer.isEnded) {
      await this.#follow(tracker)
      await buffer.room()
      if (signal.aborted) return
      await retrying(this.#parts, () => this.catchUp(tracker))
    }
  }

  /** Tells what is there, page by page, as fast as it is taken. */
  async catchUp(tracker: Tracker): Promise<void> {
    const { store, buffer, signal } = this.#parts
    let isFirst = true
    for await (const view of viewsOf(store, this.#key, tracker.floor)) {
      if (signal.aborted) return
      this.#push(isFirst ? tracker.absorb(view) : tracker.absorbNext(view))
      isFirst = false
      await buffer.room()
    }
  }

  /** Tells what comes; until the consumer is too slow, or gone. */
  async #follow(tracker: Tracker): Promise<void> {
    const { buffer, pollMs, onState, pollerOf, signal } = this.#parts
    if (signal.aborted) return
    await new Promise<void>((resolve) => {
      const poller = pollerOf(this.#key)
      const leave = (): void => {
        signal.removeEventListener('abort', leave)
        remove()
        resolve()
      }
      const follower: Follower = {
        tracker,
        pollMs,
        take: (changes) => {
          this.#push(changes)
          if (buffer.isFull) leave()
        },
        leave,
        state: onState,
        end: () => {
          buffer.end()
          leave()
        },
      }
      const remove = poller.add(follower)
      signal.addEventListener('abort', leave)
    })
  }

  /** What a consumer knows who begins there. */
  async start(since: Since): Promise<Tracker> {
    if (since === 'beginning') return Tracker.fromBeginning(this.#key)
    if (since !== 'now') return Tracker.resumed(this.#key, since)
    const { store } = this.#parts
    const { items, done, gone } = await store.readItems({
      key: this.#key,
      limit: RECENT_MESSAGES + 1,
      order: 'newest',
      includeGone: true,
    })
    const known = gone ?? { removed: [], deletedThrough: undefined }
    const tracker = Tracker.fromNow(this.#key, items.toReversed(), known, done)
    // From here on it knows what is there. Where it cannot be sure, it finds out later.
    if (tracker.floor !== STAMP_MIN) await compareAll(store, this.#key, [tracker])
    return tracker
  }

  #push(changes: readonly Tracked[]): void {
    this.#parts.buffer.push(this.#key, changes)
  }
}

/** Repeats it while no place answers; undefined when nobody waits for it any more, or the store is closed. */
export async function retrying<T>(
  { store, buffer, onState, signal }: SourceParts,
  run: () => Promise<T>,
): Promise<T | undefined> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const result = await run()
      if (failures > 0) onState({ state: 'live' })
      return result
    } catch (error) {
      if (isStorageError(error, 'CLOSED')) {
        buffer.end()
        return undefined
      }
      if (!isStorageError(error) || isHopeless(error)) throw error
      if (failures === 0) onState({ state: 'waiting', error })
      await sleep(store.env, backoffMs(store.env, failures, RETRY), signal)
    }
  }
  return undefined
}

function isHopeless(error: unknown): boolean {
  return isCallersFault(error) || isStorageError(error, 'UNSUPPORTED')
}

import { itemValue } from '../../core/merge.ts'
import type { Tracked } from './tracker.ts'

/** Contents that wait for a slow consumer; beyond it they are read again later. */
const BUFFER_BYTES_MAX = 16 * 1024 * 1024
/** What a change without a content counts for. */
const CHANGE_BYTES = 200

/** A change on its way to a consumer. */
export interface Buffered extends Tracked {
  /** Of the conversation; undefined for a change that is about none. */
  readonly key: string | undefined
}

/** Changes between those who find them and the one who takes them, one at a time and in order. */
export class ChangeBuffer {
  readonly #changesMax: number
  #changes: Buffered[] = []
  #bytes = 0
  #isEnded = false
  #error: unknown
  readonly #takers = new Set<() => void>()
  readonly #makers = new Set<() => void>()

  constructor(changesMax: number) {
    this.#changesMax = changesMax
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  get isFull(): boolean {
    return this.#changes.length >= this.#changesMax || this.#bytes >= BUFFER_BYTES_MAX
  }

  push(key: string | undefined, changes: readonly Tracked[]): void {
    if (this.#isEnded || changes.length === 0) return
    for (const { change, cursor } of changes) {
      this.#changes.push({ key, change, cursor })
      this.#bytes += bytesOf(change)
    }
    release(this.#takers)
  }

  /** The next change; undefined after the end. */
  async take(): Promise<Buffered | undefined> {
    for (;;) {
      const next = this.#changes.shift()
      if (next !== undefined) {
        this.#bytes -= bytesOf(next.change)
        if (this.#changes.length * 2 <= this.#changesMax) release(this.#makers)
        return next
      }
      if (this.#error !== undefined) throw this.#error as Error
      if (this.#isEnded) return undefined
      await new Promise<void>((resolve) => this.#takers.add(resolve))
    }
  }

  /** Resolves when half of it is free, or at its end. */
  async room(): Promise<void> {
    if (!this.isFull) return
    await new Promise<void>((resolve) => {
      if (this.#isEnded) resolve()
      else this.#makers.add(resolve)
    })
  }

  /** Nothing comes any more. What waits can be taken still, and then the error, if there is one. */
  end(error?: unknown): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#error = error
    release(this.#takers)
    release(this.#makers)
  }

  /** The consumer wants no more. */
  abandon(): void {
    this.#changes = []
    this.#bytes = 0
    this.end()
  }
}

function release(waiting: Set<() => void>): void {
  const all = [...waiting]
  waiting.clear()
  for (const resolve of all) resolve()
}

function bytesOf(change: Tracked['change']): number {
  return 'item' in change ? CHANGE_BYTES + (itemValue(change.item)?.length ?? 0) : CHANGE_BYTES
}

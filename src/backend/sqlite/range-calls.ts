/* Digests and scans of a file, in steps that hold a thread for a moment only. */
import { setImmediate } from 'node:timers/promises'
import type { BucketDigest, StampRange } from '../../core/digest.ts'
import type { Env } from '../../core/env.ts'
import { bucketsOf, type Bucket } from '../buckets.ts'
import type { CallOptions, StoredOperation } from '../replica-backend.ts'
import type { EngineCalls, EngineMethod } from './engine.ts'
import { SCAN_START, type ScanCursor } from './rows/scan.ts'
import { isWide } from './rows/wide-range.ts'

/** Calls answer without waiting for anything; after this long others get a turn. Milliseconds. */
export const TURN_MS = 5
/** Rows of the file that a digest of most of it goes through at a time. */
const BLOCK_ROWS = 4_096
/** Most keys that a digest goes through at a time. */
const TURN_KEYS_MAX = 4_096

/** One call of the thread that scans. */
export type CallScanner = <Method extends EngineMethod>(
  options: CallOptions,
  method: Method,
  ...args: Parameters<EngineCalls[Method]>
) => Promise<ReturnType<EngineCalls[Method]>>

/** What reads many rows of a file. */
export class RangeCalls {
  readonly #env: Env
  readonly #call: CallScanner
  /** Keys that a digest goes through at a time; follows how long that takes. */
  #turnKeys = 16

  constructor(env: Env, call: CallScanner) {
    this.#env = env
    this.#call = call
  }

  async digest(
    range: StampRange,
    buckets: number,
    options: CallOptions = {},
  ): Promise<readonly BucketDigest[]> {
    if (isWide(range, this.#env.now())) return await this.#digestFile(range, buckets, options)
    let result: readonly Bucket[] = bucketsOf(range, buckets)
    for await (const keyIds of this.#keyIds(range, options)) {
      await this.#inTurns(keyIds, async (some) => {
        result = await this.#call(options, 'addDigests', range, result, some)
      })
    }
    return result
  }

  async *scanStored(range: StampRange, options: CallOptions = {}): AsyncGenerator<StoredOperation> {
    for await (const keyIds of this.#keyIds(range, options)) {
      const found: number[] = []
      await this.#inTurns(keyIds, async (some) => {
        found.push(...(await this.#call(options, 'keysWithRows', range, some)))
      })
      let cursor: ScanCursor | undefined = SCAN_START
      while (cursor !== undefined) {
        const from: ScanCursor = cursor
        const page = await this.#call(options, 'scanPage', range, found, from)
        yield* page.operations
        cursor = page.next
        // A long scan lets others run between its pages.
        await setImmediate()
      }
    }
  }

  /** Most of the file is in the range: it is read in its own order. */
  async #digestFile(
    range: StampRange,
    count: number,
    options: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    let result: readonly Bucket[] = bucketsOf(range, count)
    const last = await this.#call(options, 'lastIds')
    for (const table of ['rows', 'keys'] as const) {
      for (let at = 0; at < last[table]; at += BLOCK_ROWS) {
        const end = Math.min(at + BLOCK_ROWS, last[table])
        const call = [range, result, table, at, end] as const
        result = await this.#call(options, 'addBlockDigests', ...call)
      }
    }
    return result
  }

  async *#keyIds(range: StampRange, options: CallOptions): AsyncGenerator<readonly number[]> {
    let after: number | undefined = 0
    while (after !== undefined) {
      const from: number = after
      const page = await this.#call(options, 'keyIds', range, from)
      yield page.ids
      after = page.next
    }
  }

  /** As many keys at a time as are done within a moment. */
  async #inTurns(
    keyIds: readonly number[],
    work: (some: readonly number[]) => Promise<void>,
  ): Promise<void> {
    for (let from = 0; from < keyIds.length;) {
      const some = keyIds.slice(from, from + this.#turnKeys)
      from += some.length
      const start = this.#env.monotonic()
      await work(some)
      const tookMs = this.#env.monotonic() - start
      if (tookMs > TURN_MS) this.#turnKeys = Math.max(1, this.#turnKeys >> 1)
      else if (tookMs < TURN_MS / 4) this.#turnKeys = Math.min(TURN_KEYS_MAX, this.#turnKeys * 2)
      await setImmediate()
    }
  }
}

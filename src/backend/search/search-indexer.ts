import { isStorageError, messageOf } from '../../core/errors.ts'
import { noSearch } from './search-state.ts'
import type { Env, Timer } from '../../core/env.ts'
import { KeepAlive } from '../../core/keep-alive.ts'
import { SharedFetch } from '../../core/shared-fetch.ts'
import type { FoundPage, SearchState } from '../replica-backend.ts'
import { buildingSearch, SEARCH_OFF } from './search-state.ts'

/** Where the index of a database stands after a piece of work. */
export interface IndexProgress {
  /** There is more to do. */
  readonly hasMore: boolean
  /** What was there before the index is in it. */
  readonly isBuilt: boolean
  /** Items that were looked at while it was built, and how many there were. */
  readonly indexed: number
  readonly items: number
}

/** What was saved within this time is indexed together: each piece of work is a commit of its own. Milliseconds. */
const BEHIND_MS = 1_000
/** Pause after a piece of work that failed. Milliseconds. */
const RETRY_MS = 5_000

export interface SearchIndexerOptions {
  readonly env: Env
  readonly name: string
  /** Does a piece of what is to be done, in one transaction; undefined: there is no index. */
  readonly step: () => Promise<IndexProgress | undefined>
}

/**
 * Brings an index up to what was written. Whatever changes an item leaves a mark in the same transaction, so
 * what is missing in the index is always known: this works the marks off, soon after writes and before each
 * search, and builds the index of what was there before it. A process that ends in between leaves the rest to
 * the next one.
 */
export class SearchIndexer {
  readonly #options: SearchIndexerOptions
  readonly #work: SharedFetch
  #progress: IndexProgress | undefined
  #isOpen = false
  #timer: Timer | undefined

  constructor(options: SearchIndexerOptions) {
    this.#options = options
    this.#work = new SharedFetch(() => this.#run())
  }

  get state(): SearchState {
    const progress = this.#progress
    if (progress === undefined) return SEARCH_OFF
    const { isBuilt, indexed, items } = progress
    return isBuilt ? { state: 'ready' } : buildingSearch(indexed, items)
  }

  /** Begins with what is to be done; undefined: there is no index. */
  open(progress: IndexProgress | undefined): void {
    this.#progress = progress
    this.#isOpen = progress !== undefined
    if (progress?.hasMore === true) this.#later(0)
  }

  /** After a write: soon. */
  wrote(): void {
    if (this.#isOpen) this.#later(BEHIND_MS)
  }

  /** Resolves when everything is indexed that was written before the call. */
  async catchUp(): Promise<void> {
    await KeepAlive.of(this.#options.env).during(() => this.#work.run())
  }

  /** Asks, and once more after the index has caught up if it was behind: `known` says that it was seen to. */
  async search(ask: (known: boolean) => Promise<FoundPage | undefined>): Promise<FoundPage> {
    const { state } = this
    if (state.state === 'off') throw noSearch(state)
    const page = await ask(false)
    if (page !== undefined) return page
    await this.catchUp()
    return (await ask(true))!
  }

  /** Ends after the piece of work that is under way. */
  async close(): Promise<void> {
    this.#isOpen = false
    this.#timer?.cancel()
    this.#timer = undefined
    // Two at most are on their way; they end by themselves, and whoever asked for them is told how.
    await this.#work.run().catch(() => {})
  }

  async #run(): Promise<void> {
    while (this.#isOpen) {
      const progress = await this.#options.step()
      this.#progress = progress
      if (progress?.hasMore !== true) return
    }
  }

  #later(delayMs: number): void {
    this.#timer ??= this.#options.env.setTimer(delayMs, () => {
      this.#timer = undefined
      this.#work.run().catch((error: unknown) => this.#failed(error))
    })
  }

  #failed(error: unknown): void {
    const { env, name } = this.#options
    if (!this.#isOpen || isStorageError(error, 'CLOSED')) return
    env.logger.debug({ error: messageOf(error) }, `${name}: the index of texts is left for later`)
    this.#later(RETRY_MS)
  }
}

import type { LatestKey } from '../../backend/replica-backend.ts'
import { isCallersFault } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/operation.ts'
import { sleep } from '../../core/time.ts'
import { observeItems, type StoreContext } from '../context.ts'
import { firstAnswer } from './first-answer.ts'
import { countMerged } from './merged-count.ts'
import { listMergedKeys, listMergedLatest, readMergedRegister } from './merged-keys.ts'
import { readMergedById, readMergedPage } from './merged-page.ts'
import type {
  CountRead,
  ItemsQuery,
  ItemsRead,
  KeysRead,
  LatestRead,
  ReadConfig,
  ReadStrategy,
  RegisterRead,
} from './read-strategy.ts'
import { Source } from './source.ts'

export interface ResolvedReadConfig {
  readonly treatEmptyAsFailure: boolean
  readonly maxRetries: number
  readonly retryDelayMs: number
  readonly timeoutMs: number
}

const DAY_MS = 86_400_000

export function resolveReadConfig(config: ReadConfig = {}): ResolvedReadConfig {
  const { treatEmptyAsFailure = false, maxRetries = 0, retryDelay = 50, timeout = 2_000 } = config
  checkInteger('read.maxRetries', maxRetries, 0, 100)
  checkInteger('read.retryDelay', retryDelay, 0, DAY_MS)
  checkInteger('read.timeout', timeout, 1, DAY_MS)
  return { treatEmptyAsFailure, maxRetries, retryDelayMs: retryDelay, timeoutMs: timeout }
}

/** Reads to try one after another; each asks all of its places at once and merges them. */
export type ReadPlan = readonly (readonly DatabasePlace[])[]

interface Answer<T> {
  readonly value: T
  readonly complete: boolean
}

/**
 * A read strategy that is a choice of places. What the places answer is merged, what is pending is
 * laid over it, and the answer says whether it is complete: the same for every choice.
 */
export abstract class SelectingReadStrategy implements ReadStrategy {
  abstract readonly type: string
  protected readonly config: ResolvedReadConfig

  constructor(config: ReadConfig = {}) {
    this.config = resolveReadConfig(config)
  }

  /** The places to ask, best first. `bothNeeded`: one of them alone could not be complete. */
  protected abstract plan(context: StoreContext, bothNeeded: boolean): ReadPlan

  /** Told which places answered. */
  protected answered(_context: StoreContext, _places: readonly DatabasePlace[]): void {}

  async readItems(context: StoreContext, query: ItemsQuery): Promise<ItemsRead> {
    const { value, complete } = await this.#read(
      context,
      (sources) => readMergedPage(context, sources, query),
      ({ items }) => items.length === 0,
    )
    observeItems(context, query.key, value.items)
    return { ...value, complete }
  }

  async readItemsById(
    context: StoreContext,
    key: string,
    ids: readonly string[],
  ): Promise<ItemsRead> {
    const { value: items, complete } = await this.#read(
      context,
      (sources) => readMergedById(context, sources, key, ids),
      (found) => found.length === 0,
    )
    observeItems(context, key, items)
    return { items, done: true, complete }
  }

  async readRegister(context: StoreContext, key: string): Promise<RegisterRead> {
    const { value: register, complete } = await this.#read(
      context,
      (sources) => readMergedRegister(context, sources, key),
      (found) => found === undefined,
    )
    return { register, complete }
  }

  async countItems(context: StoreContext, key: string): Promise<CountRead> {
    const { value: count, complete } = await this.#read(
      context,
      (sources) => countMerged(context, sources, key),
      (found) => found === 0,
    )
    return { count, complete }
  }

  async listKeys(
    context: StoreContext,
    query: { readonly prefix: string; readonly after?: string; readonly limit: number },
  ): Promise<KeysRead> {
    const { value, complete } = await this.#read(
      context,
      (sources) => listMergedKeys(context, sources, query),
      ({ keys }) => keys.length === 0,
    )
    return { ...value, complete }
  }

  async listLatest(
    context: StoreContext,
    query: { readonly prefix: string; readonly before?: LatestKey; readonly limit: number },
  ): Promise<LatestRead> {
    const { value, complete } = await this.#read(
      context,
      (sources) => listMergedLatest(context, sources, query),
      ({ keys }) => keys.length === 0,
    )
    return { ...value, complete }
  }

  async #read<T>(
    context: StoreContext,
    run: (sources: readonly Source[]) => Promise<T>,
    isEmpty: (value: T) => boolean,
  ): Promise<Answer<T>> {
    // Before any place is asked: only an older list of hints speaks for what the primary lacks.
    const current = context.monitor.isPrimaryCurrent() && context.monitor.isTrusted()
    // What an earlier life acknowledged may be in the log alone, which has yet to open; that it opens
    // while we read does not help: what is pending was noted before.
    const logKnown = !context.log.isUnknown()
    const ask = async (places: readonly DatabasePlace[]): Promise<Answer<T>> => {
      const sources = places.map(
        (name) => new Source(context, context.places[name], this.config.timeoutMs),
      )
      const value = await this.#retrying(context, () => run(sources))
      this.answered(context, places)
      return { value, complete: logKnown && isComplete(places, current, context) }
    }
    const askAgain = async (places: readonly DatabasePlace[]): Promise<Answer<T>> => {
      const answer = await ask(places)
      if (!current || places.length > 1 || context.monitor.isTrusted()) return answer
      // Its own answer told that the database lost its data: the other one has what we wrote.
      return await ask(DATABASE_PLACES).catch(() => answer)
    }
    const isWanted = ({ value }: Answer<T>): boolean =>
      !this.config.treatEmptyAsFailure || !isEmpty(value)
    return await firstAnswer(context, this.plan(context, !current), askAgain, isWanted)
  }

  async #retrying<T>(context: StoreContext, run: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await run()
      } catch (error) {
        if (isCallersFault(error) || attempt >= this.config.maxRetries) throw error
        await sleep(context.env, this.config.retryDelayMs)
      }
    }
  }
}

/** A read of the backup alone may lack what its writers' logs have yet to flush. */
function isComplete(
  places: readonly DatabasePlace[],
  current: boolean,
  context: StoreContext,
): boolean {
  if (!places.includes('primary')) return false
  return context.monitor.isTrusted() && (current || places.includes('backup'))
}

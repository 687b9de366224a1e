import type { LatestKey } from '../../backend/replica-backend.ts'
import { noSearch } from '../../backend/search/search-state.ts'
import { isCallersFault, type StorageError } from '../../core/errors.ts'
import { fieldsOf } from '../../core/given.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { boolean, byDefault, integer, ms } from '../../core/option-kinds.ts'
import { resolve, type OptionTable } from '../../core/options.ts'
import { mapLimited } from '../../core/semaphore.ts'
import { DAY_MS, sleep } from '../../core/time.ts'
import type { StoreManagers } from '../../manager/store-managers.ts'
import { observeItems, type StoreContext } from '../context.ts'
import type { PrimaryVerdict } from '../replica-monitor.ts'
import { storeOf } from '../store-calls.ts'
import { firstAnswer } from './first-answer.ts'
import { countMerged } from './merged-count.ts'
import {
  listMergedKeys,
  listMergedLatest,
  readMergedRegister,
  readMergedRegisters,
} from './merged-keys.ts'
import { judgePrimary } from './judge-primary.ts'
import { readMergedById, readMergedPage } from './merged-page.ts'
import { searchMerged } from './merged-search.ts'
import type {
  CountedRead,
  FoundRead,
  ItemsQuery,
  ItemsRead,
  ItemsSearch,
  KeysRead,
  LatestRead,
  ReadConfig,
  ReadPort,
  RegisterRead,
  RegistersRead,
} from './read-port.ts'
import type { ReadStrategy } from './read-strategy.ts'
import { Source } from './source.ts'

/** A `ReadConfig` with its defaults. */
export interface ResolvedReadConfig {
  readonly treatEmptyAsFailure: boolean
  readonly maxRetries: number
  readonly retryDelayMs: number
  readonly timeoutMs: number
  readonly maxHintAgeMs: number
}

export const HINT_AGE_MAX_MS = 60_000
/** Keys without a value that are looked up further at once. */
const ABSENT_AT_ONCE = 16

export const READ_OPTIONS: OptionTable<ReadConfig, keyof ReadConfig> = {
  treatEmptyAsFailure: byDefault(false, boolean()),
  maxRetries: byDefault(0, integer(0, 100)),
  retryDelay: byDefault(50, ms(0, DAY_MS)),
  timeout: byDefault(2_000, ms(1, DAY_MS)),
  maxHintAge: byDefault(0, ms(0, HINT_AGE_MAX_MS)),
  enableCacheMerge: byDefault(true, boolean()),
}

/** Reads to try one after another; each asks all of its places at once and merges them. */
export type ReadPlan = readonly (readonly DatabasePlace[])[]

interface Answer<T> {
  readonly value: T
  readonly complete: boolean
}

interface Asked<T> {
  readonly value: T
  readonly places: readonly DatabasePlace[]
}

/** How an answer is judged. */
interface Judging {
  /** Age of a list of hints that may say what the primary lacks. Default: the option. */
  readonly maxHintAgeMs?: number
  /** That nothing is found decides something. Default: false. */
  readonly isDecisive?: boolean
  /** Of the plan only what this leaves of it. */
  readonly planOf?: (plan: ReadPlan) => ReadPlan
}

/**
 * A read strategy that is a choice of places. What the places answer is merged, what is pending is
 * laid over it, and the answer says whether it is complete: the same for every choice.
 */
export abstract class SelectingReadStrategy implements ReadPort, ReadStrategy {
  abstract readonly name: string
  readonly config: Readonly<ReadConfig>
  protected readonly resolved: ResolvedReadConfig

  constructor(config: ReadConfig = {}) {
    const given = fieldsOf('options', config)
    const { retryDelay, timeout, maxHintAge, ...same } = resolve('', given, READ_OPTIONS)
    this.config = Object.freeze(given)
    this.resolved = {
      ...same,
      retryDelayMs: retryDelay,
      timeoutMs: timeout,
      maxHintAgeMs: maxHintAge,
    }
  }

  /** The places to ask, best first. `bothNeeded`: one of them alone could not be complete. */
  protected abstract plan(context: StoreContext, bothNeeded: boolean): ReadPlan

  /** Told which places answered. */
  protected answered(_context: StoreContext, _places: readonly DatabasePlace[]): void {}

  /** One value by itself, in the store of these managers. */
  async execute<T>(key: string, managers: StoreManagers): Promise<T | undefined> {
    return await storeOf(managers).get<T>(this, key)
  }

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
      // What is to be changed is looked up so.
      { maxHintAgeMs: 0, isDecisive: true },
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

  async readRegisters(context: StoreContext, keys: readonly string[]): Promise<RegistersRead> {
    const read = await this.#read(
      context,
      (sources) => readMergedRegisters(context, sources, keys),
      () => false,
    )
    let { complete } = read
    const registers = [...read.value]
    const absent = registers.flatMap((register, i) => (register === undefined ? [i] : []))
    if (this.resolved.treatEmptyAsFailure) {
      // Another place may have what this one has not: each of them is asked for like one by itself.
      await mapLimited(absent, ABSENT_AT_ONCE, async (i) => {
        const again = await this.readRegister(context, keys[i]!)
        registers[i] = again.register
        complete &&= again.complete
      })
    }
    return { registers, complete }
  }

  async countItems(context: StoreContext, key: string): Promise<CountedRead> {
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

  async search(context: StoreContext, query: ItemsSearch): Promise<FoundRead> {
    const { value, complete } = await this.#read(
      context,
      (sources) => searchMerged(context, sources, query),
      ({ found }) => found.length === 0,
      { planOf: (plan) => searchPlan(context, plan) },
    )
    const { isWhole, ...rest } = value
    return { ...rest, complete: complete && isWhole }
  }

  async #read<T>(
    context: StoreContext,
    run: (sources: readonly Source[]) => Promise<T>,
    isEmpty: (value: T) => boolean,
    {
      maxHintAgeMs = this.resolved.maxHintAgeMs,
      isDecisive = false,
      planOf = (plan) => plan,
    }: Judging = {},
  ): Promise<Answer<T>> {
    const { log } = context
    // What an earlier life acknowledged may be in the log alone, which has yet to open; that it opens
    // while we read does not help: what is pending was noted before.
    const logKnown = !log.isUnknown()
    const judged = judgePrimary(context, maxHintAgeMs)
    const ask = async (places: readonly DatabasePlace[]): Promise<Asked<T>> => {
      const sources = places.map(
        (name) => new Source(context, context.places[name], this.resolved.timeoutMs),
      )
      const value = await this.#retrying(context, () => run(sources))
      this.answered(context, places)
      return { value, places }
    }
    const isWanted = ({ value }: Asked<T>): boolean =>
      !this.resolved.treatEmptyAsFailure || !isEmpty(value)
    const plan = planOf(this.plan(context, judged === undefined))
    const asked = await firstAnswer(context, plan, ask, isWanted)
    // That it is not there decides something: a place that is only late is waited for.
    const isOpen = isDecisive && isEmpty(asked.value)
    const { value, complete } = await this.#complete(context, asked, judged, ask, isOpen)
    return { value, complete: complete && logKnown }
  }

  /** Asks further where the primary alone has answered and may have lacked something. */
  async #complete<T>(
    { monitor, places: { primary, backup } }: StoreContext,
    asked: Asked<T>,
    judged: Promise<PrimaryVerdict | undefined> | undefined,
    ask: (places: readonly DatabasePlace[]) => Promise<Asked<T>>,
    isOpen: boolean,
  ): Promise<Answer<T>> {
    const { value, places } = asked
    const hasPrimary = places.includes('primary')
    // A read of the backup alone may lack what its writers' logs have yet to flush.
    if (!hasPrimary && !(isOpen && primary.isUp())) return { value, complete: false }
    if (hasPrimary && places.includes('backup')) return { value, complete: monitor.isTrusted() }
    const verdict =
      (hasPrimary ? await judged : 'lacking') ?? (isOpen && backup.isUp() ? 'lacking' : undefined)
    if (verdict === undefined) return { value, complete: false }
    // The answer may have told that the primary is another one by now.
    const isTrusted = monitor.isTrusted()
    if (verdict === 'current' && isTrusted) return { value, complete: true }
    try {
      const again = await ask(verdict === 'lacking' || !isTrusted ? DATABASE_PLACES : ['primary'])
      return { value: again.value, complete: monitor.isTrusted() }
    } catch {
      // The first answer stands; it says what it is worth.
      return { value, complete: false }
    }
  }

  async #retrying<T>(context: StoreContext, run: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await run()
      } catch (error) {
        if (isCallersFault(error) || attempt >= this.resolved.maxRetries) throw error
        await sleep(context.env, this.resolved.retryDelayMs)
      }
    }
  }
}

/**
 * The steps of a plan that a search can take. A place that cannot be searched is asked beside one that can:
 * it may know what became of an item.
 */
function searchPlan({ places }: StoreContext, plan: ReadPlan): ReadPlan {
  const able = DATABASE_PLACES.filter((name) => places[name].canSearch())
  if (able.length === 0) throw cannotSearch(places)
  const steps = plan.map((step) =>
    step.some((name) => able.includes(name)) ? step : [...step, ...able],
  )
  return steps.filter((step, i) => i === steps.findIndex((other) => isSame(other, step)))
}

function cannotSearch(places: StoreContext['places']): StorageError {
  const states = DATABASE_PLACES.map((name) => [name, places[name].getSearch()] as const)
  const building = states.some(([, state]) => state?.state === 'building')
  const reasons = states.map(([name, state]) => `${name}: ${state?.reason ?? 'unknown'}`)
  return noSearch({ state: building ? 'building' : 'none', reason: reasons.join('; ') })
}

function isSame(a: readonly DatabasePlace[], b: readonly DatabasePlace[]): boolean {
  return [...a].sort().join() === [...b].sort().join()
}

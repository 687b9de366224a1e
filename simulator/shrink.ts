import type { ViolationKind } from '../src/testing/history-checker/history.ts'
import { runSeed, type SimulationResult } from './run-seed.ts'
import type { SimulationSettings } from './settings.ts'

/** Runs that one shrinking may take. */
const RUNS_MAX = 3_000
/** A step that is left out changes all latencies after it: a plan is tried with several of them. */
const LUCKS = 8

/** Plainer settings, tried one after another. */
const PLAINER: readonly Partial<SimulationSettings>[] = [
  { deaths: 0 },
  { pauses: 0 },
  { skewMs: 0 },
  { wal: 'simulated' },
  { health: 'circuit-breaker' },
  { read: 'primary-first' },
]

/** A failing seed reduced to what it takes to fail. */
export interface ShrunkPlan {
  readonly seed: number
  /** What was set instead of drawn. */
  readonly given: Partial<SimulationSettings>
  /** The steps that are left, with their times. */
  readonly keep: ReadonlyMap<string, number>
  /** Which latencies: see `WorldOptions`. */
  readonly luck: number
  /** The run of this plan. */
  readonly result: SimulationResult
  /** Simulations that it took to find. */
  readonly runs: number
}

/**
 * Leaves steps out for as long as the same kind of violation remains, and makes the settings plainer.
 * The result need not be the shortest plan there is; it is one from which no single step can be left
 * out.
 */
export async function shrinkSeed(
  seed: number,
  given: Partial<SimulationSettings> = {},
  runsMax: number = RUNS_MAX,
): Promise<ShrunkPlan | undefined> {
  const search = new Search(seed, runsMax)
  const first = await runSeed(seed, given)
  if (first.violations.length === 0) return undefined
  search.kinds = kindsOf(first)
  search.best = { given, luck: 0, result: first }
  for (const plainer of PLAINER) await search.tryPlan({ ...search.best.given, ...plainer })
  await search.leaveOut()
  // Fewer steps may do without what the whole history needed.
  for (const plainer of PLAINER) {
    await search.tryPlan({ ...search.best.given, ...plainer }, [...stepsOf(search.best.result)])
  }
  const { given: kept, luck, result } = search.best
  return { seed, given: kept, keep: stepsOf(result), luck, result, runs: search.runs }
}

type StepTime = readonly [id: string, atMs: number]

interface Failing {
  readonly given: Partial<SimulationSettings>
  readonly luck: number
  readonly result: SimulationResult
}

class Search {
  kinds: ReadonlySet<ViolationKind> = new Set()
  best!: Failing
  runs = 1
  readonly #seed: number
  readonly #runsMax: number

  constructor(seed: number, runsMax: number) {
    this.#seed = seed
    this.#runsMax = runsMax
  }

  /** True when the plan fails as well; then it is the best. */
  async tryPlan(given: Partial<SimulationSettings>, keep?: readonly StepTime[]): Promise<boolean> {
    for (let i = 0; i < LUCKS && this.runs < this.#runsMax; i++) {
      this.runs++
      const luck = (this.best.luck + i) % LUCKS
      const result = await runSeed(this.#seed, given, {
        luck,
        ...(keep !== undefined && { keep: new Map(keep) }),
      })
      if (![...kindsOf(result)].some((kind) => this.kinds.has(kind))) continue
      this.best = { given, luck, result }
      return true
    }
    return false
  }

  /** Delta debugging: leaves out halves, quarters and so on down to single steps. */
  async leaveOut(): Promise<void> {
    // Times as the replay will have them.
    await this.tryPlan(this.best.given, this.#steps())
    let size = Math.ceil(this.#steps().length / 2)
    while (this.runs < this.#runsMax) {
      const before = this.#steps().length
      for (let at = 0; at < this.#steps().length;) {
        const steps = this.#steps()
        const without = [...steps.slice(0, at), ...steps.slice(at + size)]
        if (!(await this.tryPlan(this.best.given, without))) at += size
      }
      if (size > 1) size = Math.ceil(size / 2)
      else if (this.#steps().length === before) return
    }
  }

  #steps(): readonly StepTime[] {
    return [...stepsOf(this.best.result)]
  }
}

function kindsOf({ violations }: SimulationResult): ReadonlySet<ViolationKind> {
  return new Set(violations.map(({ kind }) => kind))
}

/** Whole milliseconds: short to write down. */
function stepsOf({ steps }: SimulationResult): ReadonlyMap<string, number> {
  return new Map(steps.map(({ id, atMs }) => [id, Math.round(atMs)]))
}

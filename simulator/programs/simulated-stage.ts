import { DATABASE_PLACES, type DatabasePlace } from '../../src/core/places.ts'
import { checkHistory } from '../../src/testing/history-checker/check-history.ts'
import type { History, Violation } from '../../src/testing/history-checker/history.ts'
import { contentsOf } from '../contents-of.ts'
import { leftovers } from '../run-seed.ts'
import { World, WRITE_TIMEOUT_MS, type Node, type Tracer } from '../world.ts'
import { performCall, type PerformedCall } from './perform-call.ts'
import { hasFaults, type CallStep, type CutKind, type FaultStep, type Program } from './program.ts'
import { runProgram, type Stage } from './run-program.ts'

/** Longest that a store may take to open while something is cut off. Virtual milliseconds. */
const OPEN_MS_MAX = 5_000
const LOOK_EVERY_MS = 100
const SETTLE_MS_MAX = 150_000
const RECONCILE_TRIES = 10
/** Longest that a whole program may take. */
const PROGRAM_MS_MAX = 900_000
/**
 * A request and its reply take less than a second: for a primary that is later than that to answer anybody,
 * the backup decides, which is no fault of a healthy network.
 */
const SLOWNESS = 0.3

export interface SimulatedProgram {
  readonly program: Program
  readonly history: History
  readonly violations: readonly Violation[]
}

/** Runs a program on the simulation. The same program always makes the same history. */
export async function simulateProgram(
  program: Program,
  tracer?: Tracer,
): Promise<SimulatedProgram> {
  const stage = new SimulatedStage(program, tracer)
  const history = await stage.run(program)
  const violations = checkHistory(history, {
    clockToleranceMs: 2,
    // Two saves with one id wait for each other.
    deadlineMs: 2 * (3 * WRITE_TIMEOUT_MS + 1_000),
  })
  return { program, history, violations }
}

/** The world of the simulation, with what a program does in place of clients and faults at random. */
class SimulatedStage implements Stage {
  readonly leftovers: string[] = []
  readonly #world: World
  readonly #isFaulty: boolean

  constructor(program: Program, tracer?: Tracer) {
    const { seed, processes, store } = program
    this.#isFaulty = hasFaults(program)
    const settings = { processes, ...store, faults: [], skewMs: 0, pauses: 0, deaths: 0 }
    const options = tracer === undefined ? {} : { tracer }
    this.#world = new World(seed, { ...settings, wal: 'file' }, options)
    for (const place of DATABASE_PLACES) this.#world.databases[place].slowness = SLOWNESS
  }

  /** The virtual clock goes on for as long as the program does. */
  async run(program: Program): Promise<History> {
    const { kernel } = this.#world
    let history: History | undefined
    let failed: unknown
    runProgram(program, this).then(
      (made) => (history = made),
      (error: unknown) => (failed = error),
    )
    await kernel.run(PROGRAM_MS_MAX, () => history !== undefined || failed !== undefined)
    if (failed !== undefined) throw failed as Error
    return history ?? { records: [], leftovers: ['the program does not come to an end'] }
  }

  async start(): Promise<void> {
    await this.#world.startServers()
    await Promise.all(this.#world.nodes.map((node) => this.#open(node)))
  }

  async perform(process: number, step: CallStep): Promise<PerformedCall | undefined> {
    const { kernel } = this.#world
    const node = this.#node(process)
    const { history } = node
    if (history === undefined) return undefined
    const startMs = kernel.now
    return await new Promise((resolve) => {
      node.process.onEnd(() => resolve({ startMs, outcome: 'unknown' }))
      void performCall(history, step, () => kernel.now).then(resolve)
    })
  }

  async flush(process: number): Promise<void> {
    const node = this.#node(process)
    // A process that is killed meanwhile answers nobody any more, and its timers never end.
    const ended = new Promise<void>((resolve) => node.process.onEnd(resolve))
    try {
      await Promise.race([node.history?.store.flushWAL(this.#isFaulty ? 100 : 20_000), ended])
    } catch (error) {
      if (!this.#isFaulty) this.leftovers.push(`p${process}: ${String(error)}`)
    }
  }

  async reopen(process: number): Promise<void> {
    const node = this.#node(process)
    const ended = new Promise<void>((resolve) => node.process.onEnd(resolve))
    await Promise.race([this.#world.closeNode(node), ended])
    await this.#open(node)
  }

  async kill(process: number, afterMs: number): Promise<void> {
    const world = this.#world
    const node = this.#node(process)
    await world.kernel.sleep(afterMs)
    if (node.process.life !== undefined) world.crashNode(node, false)
    await this.#open(node)
  }

  async fault(step: Exclude<FaultStep, { readonly act: 'kill' }>): Promise<void> {
    const { nodes } = this.#world
    switch (step.act) {
      case 'cut':
        return this.#cut(this.#node(step.process), step.place, step.how)
      case 'mend':
        return this.#cut(this.#node(step.process), step.place, undefined)
      case 'outage':
        for (const node of nodes) this.#cut(node, step.place, step.how)
        await this.wait(step.ms)
        for (const node of nodes) this.#cut(node, step.place, undefined)
        return
    }
  }

  async wait(ms: number): Promise<void> {
    await this.#world.kernel.sleep(ms)
  }

  async settle(reconcile: boolean): Promise<void> {
    const world = this.#world
    world.heal()
    for (const node of world.nodes) if (node.history === undefined) await this.#open(node)
    await this.#drain()
    for (let i = 0; reconcile && i < RECONCILE_TRIES; i++) {
      try {
        await this.#node(i % world.nodes.length).history?.reconcile()
        break
      } catch (error) {
        world.say('world', 'reconcile failed', error)
      }
    }
    await this.#drain()
    this.leftovers.push(...world.surprises)
    for await (const text of leftovers(world)) this.leftovers.push(text)
  }

  async contents(): Promise<Readonly<Record<DatabasePlace, string>>> {
    const { primary, backup } = this.#world.databases
    return { primary: await contentsOf(primary.backend), backup: await contentsOf(backup.backend) }
  }

  #node(process: number): Node {
    return this.#world.nodes[process]!
  }

  /** It goes on trying by itself. */
  async #open(node: Node): Promise<void> {
    const { kernel } = this.#world
    const untilMs = kernel.now + OPEN_MS_MAX
    void this.#world.startNode(node)
    while (node.history === undefined && kernel.now < untilMs) await kernel.sleep(1)
  }

  async #drain(): Promise<void> {
    const { kernel } = this.#world
    const untilMs = kernel.now + SETTLE_MS_MAX
    while ((await leftovers(this.#world).next()).done !== true && kernel.now < untilMs) {
      await kernel.sleep(LOOK_EVERY_MS)
    }
  }

  #cut(node: Node, place: DatabasePlace, how: CutKind | undefined): void {
    const database = this.#world.databases[place]
    const { index } = node.process
    database.refusing.delete(index)
    database.cutOff.delete(index)
    if (how === 'refused') database.refusing.add(index)
    else if (how !== undefined) database.cutOff.add(index)
  }
}

import { checkHistory } from '../../src/testing/history-checker/check-history.ts'
import type {
  CheckOptions,
  History,
  HistoryRecord,
  Violation,
} from '../../src/testing/history-checker/history.ts'
import { generateProgram } from '../../simulator/programs/generate-program.ts'
import { isFault, type Program } from '../../simulator/programs/program.ts'
import { runProgram } from '../../simulator/programs/run-program.ts'
import { simulateProgram } from '../../simulator/programs/simulated-stage.ts'
import { Engine, type EngineName } from './engines.ts'
import { ProgramProcess } from './program-process.ts'
import { RealStage, type Slot } from './real-stage.ts'

const SLOTS = 3
/** Two saves with one id wait for each other, each for all its attempts. */
const DEADLINE_MS = 15_000

/** One program on real engines, and what it violated. */
export interface ProgramResult {
  readonly program: Program
  readonly history: History
  readonly violations: readonly Violation[]
  readonly acknowledged: number
  readonly faults: number
}

export interface RunnerOptions {
  readonly engine: EngineName
  /** The compiled sources, which the processes run. */
  readonly compiled: string
  /** Programs at the same time. Default: 2. */
  readonly lanes?: number
}

/** What can run programs, and how many at a time. */
export interface ProgramHost {
  readonly lanes: number
  run(program: Program): Promise<ProgramResult>
  stop(): Promise<void>
}

/** Programs on the simulation, one after another: each is the same every time. */
export const simulatedHost: ProgramHost = {
  lanes: 1,
  async run(program) {
    const { history, violations } = await simulateProgram(program)
    return resultOf(program, history, violations)
  },
  async stop() {},
}

/** The programs of these seeds, in no particular order. */
export async function* runAll(
  host: ProgramHost,
  seeds: Iterable<number>,
  faults?: 'none' | 'some',
): AsyncGenerator<ProgramResult> {
  const running = new Map<number, Promise<ProgramResult>>()
  const options = faults === undefined ? {} : { faults }
  for (const seed of seeds) {
    if (running.size === host.lanes) yield await first(running)
    running.set(seed, host.run(generateProgram(seed, options)))
  }
  while (running.size > 0) yield await first(running)
}

/** Runs programs on one engine, several at a time, each in processes that no other uses meanwhile. */
export class ProgramRunner implements ProgramHost {
  readonly #engine: Engine
  readonly #compiled: string
  readonly #lanes: readonly (readonly Slot[])[]
  readonly #free: (readonly Slot[])[]
  #spares: ProgramProcess[]

  private constructor(engine: Engine, compiled: string, lanes: readonly (readonly Slot[])[]) {
    this.#engine = engine
    this.#compiled = compiled
    this.#lanes = lanes
    this.#free = [...lanes]
    this.#spares = lanes.map(() => new ProgramProcess(compiled))
  }

  static async start({ engine: name, compiled, lanes = 2 }: RunnerOptions): Promise<ProgramRunner> {
    const engine = await Engine.start(name)
    const slot = async (): Promise<Slot> => ({
      process: new ProgramProcess(compiled),
      door: await engine.door(),
    })
    const made = Array.from({ length: lanes }, () =>
      Promise.all(Array.from({ length: SLOTS }, slot)),
    )
    return new ProgramRunner(engine, compiled, await Promise.all(made))
  }

  /** Programs that can run at the same time. */
  get lanes(): number {
    return this.#lanes.length
  }

  /** At most as many at a time as there are lanes. */
  async run(program: Program): Promise<ProgramResult> {
    const slots = this.#free.pop()
    if (slots === undefined) throw new Error('more programs at a time than lanes')
    const spare = (): ProgramProcess => this.#spare()
    const stage = new RealStage(program, { engine: this.#engine, slots, spare })
    try {
      const history = await runProgram(program, stage)
      await stage.end()
      const violations = checkHistory(history, checkOptions(this.#engine.name))
      return resultOf(program, history, violations)
    } finally {
      this.#free.push(slots)
    }
  }

  async stop(): Promise<void> {
    const processes = [...this.#spares, ...this.#lanes.flat().map(({ process }) => process)]
    await Promise.all(processes.map((process) => process.kill()))
    await Promise.all(this.#lanes.flat().map(({ door }) => door.close()))
    await this.#engine.stop()
  }

  #spare(): ProgramProcess {
    this.#spares.push(new ProgramProcess(this.#compiled))
    return this.#spares.shift()!
  }
}

async function first(running: Map<number, Promise<ProgramResult>>): Promise<ProgramResult> {
  const result = await Promise.race(running.values())
  running.delete(result.program.seed)
  return result
}

function resultOf(
  program: Program,
  history: History,
  violations: readonly Violation[],
): ProgramResult {
  const { records } = history
  const isWrite = (record: HistoryRecord): boolean => 'copies' in record && record.outcome === 'ok'
  return {
    program,
    history,
    violations,
    acknowledged: records.filter(isWrite).length,
    faults: program.rounds.flat().filter(isFault).length,
  }
}

/**
 * All processes are of one machine: their clocks differ by less than a stamp tells. They keep their logs
 * in one folder, where another process may take over what a life of theirs left.
 */
function checkOptions(engine: EngineName): CheckOptions {
  return {
    clockToleranceMs: 1,
    deadlineMs: DEADLINE_MS,
    sharedLog: true,
    sequencer: engine === 'redis',
    commonLog: engine === 'redis',
  }
}

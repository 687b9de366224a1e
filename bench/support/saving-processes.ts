import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endOf, nextMessage } from './child.ts'
import { quantile, type Sample } from './measure.ts'
import type { SavingRun, SavingTask } from './saving-process.ts'

/** Longest wait for a process to open its store, or to run. Milliseconds. */
const WAIT_MS_MAX = 120_000

/** Processes that save to one database, each with a log of its own. */
export class SavingProcesses {
  readonly #children: ChildProcess[] = []

  async start(task: SavingTask): Promise<void> {
    const script = fileURLToPath(new URL('./saving-process.js', import.meta.url))
    const child = fork(script, [JSON.stringify(task)])
    this.#children.push(child)
    await nextMessage(child, WAIT_MS_MAX)
  }

  /** All of them together: saves a second while the first to begin and the last to end were at it. */
  async measure(processes: number): Promise<Sample> {
    const chosen = this.#children.slice(0, processes)
    const answers = chosen.map((child) => nextMessage(child, WAIT_MS_MAX))
    for (const child of chosen) child.send('go')
    const runs = (await Promise.all(answers)) as SavingRun[]
    const latencies = runs.flatMap((run) => run.latencies).sort((a, b) => a - b)
    const started = Math.min(...runs.map(({ startedAt }) => startedAt))
    const ended = Math.max(...runs.map(({ endedAt }) => endedAt))
    return {
      rate: (latencies.length * 1000) / Math.max(1, ended - started),
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(endOf))
  }
}

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { quantile, type Sample } from './measure.ts'
import type { SavingRun, SavingTask } from './saving-process.ts'

/** Longest wait for a process to open its store, to run, or to end. Milliseconds. */
const WAIT_MS_MAX = 120_000

/** Processes that save to one database, each with a log of its own. */
export class SavingProcesses {
  readonly #children: ChildProcess[] = []

  async start(task: SavingTask): Promise<void> {
    const script = fileURLToPath(new URL('./saving-process.js', import.meta.url))
    const child = fork(script, [JSON.stringify(task)])
    this.#children.push(child)
    await next(child)
  }

  /** All of them together: saves a second while the first to begin and the last to end were at it. */
  async measure(processes: number): Promise<Sample> {
    const chosen = this.#children.slice(0, processes)
    const answers = chosen.map((child) => next(child))
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
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null) return
        const ended = once(child, 'exit')
        const timer = setTimeout(() => child.kill('SIGKILL'), WAIT_MS_MAX)
        child.disconnect()
        await ended
        clearTimeout(timer)
      }),
    )
  }
}

/** What the process sends next. */
async function next(child: ChildProcess): Promise<unknown> {
  const signal = AbortSignal.timeout(WAIT_MS_MAX)
  const ended = new AbortController()
  const answer = once(child, 'message', { signal: AbortSignal.any([signal, ended.signal]) })
  const end = (): void => ended.abort(new Error(`a saving process ended with ${child.exitCode}`))
  child.once('exit', end)
  try {
    return ((await answer) as [unknown])[0]
  } finally {
    child.off('exit', end)
  }
}

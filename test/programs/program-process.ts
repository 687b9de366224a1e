import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('./program-worker.mjs', import.meta.url))

interface Answer {
  readonly id?: number
  readonly result?: unknown
  readonly error?: string
  readonly surprise?: string
}

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** The process ended before it answered. */
export class ProcessEnded extends Error {}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A process of its own that opens and closes stores as it is told, on the compiled sources. */
export class ProgramProcess {
  /** What nobody in it caught. */
  readonly surprises: string[] = []
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  readonly #ended: Promise<void>
  #next = 0

  constructor(compiled: string) {
    const child = fork(PROGRAM, [compiled], {
      execArgv: ['--no-warnings', '--max-semi-space-size=4'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    running.add(child)
    this.#ended = new Promise((resolve) => {
      child.once('exit', () => {
        running.delete(child)
        const waiting = [...this.#waiting.values()]
        this.#waiting.clear()
        for (const { reject } of waiting) reject(new ProcessEnded('the process ended'))
        resolve()
      })
    })
    child.on('message', (answer: Answer) => this.#hear(answer))
    // A message to a process that was killed meanwhile.
    child.on('error', () => {})
  }

  /** Sends a command; waits for the process to have started, if need be. */
  async ask<T = void>(command: string, fields: object = {}): Promise<T> {
    const id = this.#next++
    return (await new Promise<unknown>((resolve, reject) => {
      if (!this.#child.connected) return reject(new ProcessEnded('the process has ended'))
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ id, command, ...fields })
    })) as T
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #hear({ id, result, error, surprise }: Answer): void {
    if (surprise !== undefined) this.surprises.push(surprise)
    if (id === undefined) return
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error))
  }
}

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { signal } from './process-tree.ts'

const START_MS_MAX = 60_000
const STOP_MS_MAX = 5_000

/** A server of this test's own: a child process on a free port of 127.0.0.1. */
export interface TestServer {
  readonly port: number
  /** SIGKILL, as in a crash. The data stays. */
  kill(): Promise<void>
  /** SIGSTOP: it hangs with its connections open. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Starts it again on the same port, after `kill` or, ending it first, while it runs. */
  restart(): Promise<void>
  /** Ends the server and removes its data. */
  stop(): Promise<void>
}

export interface ServerProcessOptions {
  readonly program: string
  readonly args: () => readonly string[]
  readonly dir: string
  /** Text of its output that says that it takes connections; without it a connection is tried. */
  readonly ready?: string
  readonly port: number
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** One child process that can be killed, paused and started again. */
export class ServerProcess {
  readonly #options: ServerProcessOptions
  #child: ChildProcess | undefined

  constructor(options: ServerProcessOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { program, args, dir, ready, port } = this.#options
    const child = spawn(program, args(), { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    running.add(child)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output = (output + chunk).slice(-8_000)
      })
    }
    let ended: string | undefined
    child.once('error', (error) => (ended = error.message))
    child.once('exit', (code, name) => {
      ended = `ended with ${code ?? name}`
      running.delete(child)
      if (this.#child === child) this.#child = undefined
    })
    const deadline = Date.now() + START_MS_MAX
    while (ready === undefined ? !(await accepts(port)) : !output.includes(ready)) {
      if (ended !== undefined || Date.now() > deadline) {
        throw new Error(`${program} ${ended ?? 'did not start in time'}: ${output}`)
      }
      await delay(5)
    }
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Returns when it has stopped: the signal alone leaves it time for another answer. */
  pause(): void {
    this.#signal('SIGSTOP')
    const pid = this.#child?.pid
    const deadline = Date.now() + STOP_MS_MAX
    while (pid !== undefined && isRunning(pid) && Date.now() < deadline) continue
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  /** A clean shutdown; a server that does not end by itself is killed. */
  async end(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async #end(name: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const ended = once(child, 'exit')
    this.#signal(name)
    this.resume()
    const timer = setTimeout(() => this.#signal('SIGKILL'), STOP_MS_MAX)
    await ended
    clearTimeout(timer)
  }

  #signal(name: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid !== undefined) signal(pid, name)
  }
}

/** True when the program is in the path. */
export function isInstalled(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.some((folder) => existsSync(join(folder, program)))
}

/** True when the tests of this program can run; a missing one is said aloud, or is an error. */
export function isAvailable(program: string, hint: string): boolean {
  if (isInstalled(program)) return true
  if (process.env['REQUIRE_SERVERS'] === '1') throw new Error(hint)
  console.warn(`SKIPPED: every test on ${program}. ${hint}`)
  return false
}

/** True while a thread of the process is not stopped; false where the system does not tell. */
function isRunning(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((task) => {
      const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8')
      return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'T'
    })
  } catch {
    return false
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  return await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}

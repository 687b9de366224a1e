import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { INSTALL_HINT, postgresBinaries } from './postgres-binaries.ts'
import { processTree, signal } from './process-tree.ts'

/** Longest wait for the server to accept connections or to end. Milliseconds. */
const START_MS_MAX = 60_000
const STOP_MS_MAX = 10_000
/** Starts while processes of a server that was killed still hold its memory. */
const HELD_TRIES_MAX = 50
const HELD_PAUSE_MS = 200
/** Two starts may pick the same free port. */
const START_TRIES_MAX = 3
/** The lock file of a server; one that was killed leaves it behind. */
const PID_FILE = 'postmaster.pid'
/** A server that finds it does not leave recovery until it is promoted. */
const STANDBY_FILE = 'standby.signal'

/** Names a folder that `initdb` made: one is copied in a third of the time in which one is made. */
const TEMPLATE = 'EVERTHREAD_TESTS_INITDB'
const FLAGS = ['-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C']

export interface PostgresServerOptions {
  /** Server settings (`-c name=value`). Those of durability stay at their defaults unless named. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A PostgreSQL server of this test's own: a child process on a free port of 127.0.0.1. */
export interface PostgresServer {
  readonly port: number
  /** Superuser, no password, database `postgres`. */
  readonly url: string
  /** SIGKILL of the server and all its processes, as in a crash. The data stays. */
  kill(): Promise<void>
  /** SIGSTOP: it hangs with its connections open. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /**
   * Starts it again on the same port, after `kill` or, ending it first, while it runs. A standby waits
   * for a primary that never comes, and answers reads.
   */
  restart(options?: { readonly standby?: boolean }): Promise<void>
  /** Ends the server and removes its data. */
  stop(): Promise<void>
}

/** Starts a private server. Throws with the command that installs it when it is missing. */
export async function startPostgres({
  settings = {},
}: PostgresServerOptions = {}): Promise<PostgresServer> {
  const binaries = postgresBinaries()
  if (binaries === undefined) throw new Error(INSTALL_HINT)
  const dir = mkdtempSync(join(tmpdir(), 'everthread-postgres-'))
  const server = new Server(binaries, dir, settings)
  process.on('exit', () => server.killNow())
  try {
    server.initialize()
    await server.startAnywhere()
  } catch (error) {
    server.killNow()
    throw error
  }
  return server
}

/** Makes the folder that every server of this run is copied from. Returns what removes it. */
export function makeTemplate(): () => void {
  const binaries = postgresBinaries()
  if (binaries === undefined) throw new Error(INSTALL_HINT)
  const dir = mkdtempSync(join(tmpdir(), 'everthread-initdb-'))
  const server = new Server(binaries, dir, {})
  server.initialize()
  process.env[TEMPLATE] = server.data
  return () => rmSync(dir, { recursive: true, force: true })
}

class Server implements PostgresServer {
  port = 0
  readonly #binaries: string
  readonly #dir: string
  readonly #settings: Readonly<Record<string, string>>
  readonly #owner: { uid?: number; gid?: number }
  #child: ChildProcess | undefined

  constructor(binaries: string, dir: string, settings: Readonly<Record<string, string>>) {
    this.#binaries = binaries
    this.#dir = dir
    this.#settings = settings
    this.#owner = process.getuid?.() === 0 ? unprivileged() : {}
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`
  }

  get data(): string {
    return join(this.#dir, 'data')
  }

  initialize(): void {
    const { uid, gid } = this.#owner
    if (uid !== undefined && gid !== undefined) chownSync(this.#dir, uid, gid)
    chmodSync(this.#dir, 0o700)
    const template = process.env[TEMPLATE]
    if (template === undefined) this.#run(join(this.#binaries, 'initdb'), '-D', this.data, ...FLAGS)
    else this.#run('cp', '-R', template, this.data)
  }

  #run(command: string, ...args: string[]): void {
    const options = { ...this.#owner, cwd: this.#dir, encoding: 'utf8' } as const
    const { status, stderr } = spawnSync(command, args, options)
    if (status !== 0) throw new Error(`${command} failed: ${stderr}`)
  }

  async startAnywhere(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.port = await freePort()
      try {
        await this.#start()
        return
      } catch (error) {
        if (attempt === START_TRIES_MAX) throw error
      }
    }
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const ended = once(child, 'exit')
    this.#signalAll('SIGKILL')
    await ended
  }

  pause(): void {
    this.#signalAll('SIGSTOP')
  }

  resume(): void {
    this.#signalAll('SIGCONT')
  }

  async restart({ standby = false }: { readonly standby?: boolean } = {}): Promise<void> {
    await this.#end()
    // A killed server leaves its lock; nothing of it runs any more.
    rmSync(join(this.data, PID_FILE), { force: true })
    if (standby) writeFileSync(join(this.data, STANDBY_FILE), '')
    await this.#start()
  }

  async stop(): Promise<void> {
    await this.#end()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  /** Without waiting: for the end of this process. */
  killNow(): void {
    this.#signalAll('SIGKILL')
    rmSync(this.#dir, { recursive: true, force: true })
  }

  /** After a kill the system may not have taken down every process of the server before. */
  async #start(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#launch()
        return
      } catch (error) {
        const isHeld = String(error).includes('pre-existing shared memory block')
        if (!isHeld || tries === HELD_TRIES_MAX) throw error
        await delay(HELD_PAUSE_MS)
      }
    }
  }

  async #launch(): Promise<void> {
    const settings = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '200',
      ...this.#settings,
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(
      join(this.#binaries, 'postgres'),
      ['-D', this.data, '-p', String(this.port), ...flags],
      { ...this.#owner, cwd: this.#dir, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    this.#child = child
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
    })
    await ready(child)
  }

  /** A fast shutdown; a server that does not end by itself is killed. */
  async #end(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const ended = once(child, 'exit')
    this.resume()
    signal(child.pid!, 'SIGINT')
    const timer = setTimeout(() => this.#signalAll('SIGKILL'), STOP_MS_MAX)
    await ended
    clearTimeout(timer)
  }

  /** The postmaster goes first, so that it starts no new process meanwhile. */
  #signalAll(name: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid === undefined) return
    if (name === 'SIGKILL') signal(pid, 'SIGSTOP')
    for (const member of processTree(pid)) signal(member, name)
  }
}

/** Resolves when the server accepts connections; rejects with what it printed when it does not. */
async function ready(child: ChildProcess): Promise<void> {
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => fail(`did not start in ${START_MS_MAX} ms`), START_MS_MAX)
    const fail = (reason: string): void => {
      clearTimeout(timer)
      reject(new Error(`postgres ${reason}: ${output}`))
    }
    child.stderr!.setEncoding('utf8')
    child.stderr!.on('data', (chunk: string) => {
      // Kept short: the server goes on printing for as long as it runs.
      output = (output + chunk).slice(-4_000)
      if (!/ready to accept (read-only )?connections/.test(output)) return
      clearTimeout(timer)
      resolve()
    })
    child.once('exit', (code) => fail(`ended with ${code}`))
    child.once('error', (error) => fail(error.message))
  })
}

/** The server refuses to run as root: user postgres where there is one, else nobody. */
function unprivileged(): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined ? { uid: 65534, gid: 65534 } : { uid: Number(uid), gid: Number(gid) }
}

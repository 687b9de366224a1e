import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { freePort } from './free-port.ts'
import { isAvailable, ServerProcess, type TestServer } from './server-process.ts'

/** What to say when the server is not installed: one command that helps. */
export const REDIS_HINT = 'Redis is not installed: apt-get install -y redis-server'

/** Two starts may pick the same free port. */
const START_TRIES_MAX = 3

export interface RedisServerOptions {
  /** Default: yes. */
  readonly appendonly?: 'yes' | 'no'
  /** Default: always. */
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** More settings, as the configuration file names them. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A Redis server of this test's own. */
export interface RedisServer extends TestServer {
  readonly url: string
  /** Its folder, with the append-only file below it. */
  readonly dir: string
}

export const hasRedis: boolean = isAvailable('redis-server', REDIS_HINT)

/** `describe` for tests on Redis: they are skipped aloud, or fail, where it is not installed. */
export const describeRedis: typeof describe.skip = hasRedis ? describe : describe.skip

/** Starts a private server. */
export async function startRedis({
  appendonly = 'yes',
  appendfsync = 'always',
  settings = {},
}: RedisServerOptions = {}): Promise<RedisServer> {
  const all = { appendonly, appendfsync, ...settings }
  for (let attempt = 1; ; attempt++) {
    const server = new Server(await freePort(), all)
    try {
      await server.start()
      return server
    } catch (error) {
      await server.stop()
      if (attempt === START_TRIES_MAX) throw error
    }
  }
}

class Server implements RedisServer {
  readonly port: number
  readonly dir: string
  readonly #process: ServerProcess

  constructor(port: number, settings: Readonly<Record<string, string>>) {
    this.port = port
    this.dir = mkdtempSync(join(tmpdir(), 'everthread-redis-'))
    mkdirSync(join(this.dir, 'data'))
    const all = {
      port: String(port),
      bind: '127.0.0.1',
      dir: join(this.dir, 'data'),
      save: '',
      'enable-debug-command': 'local',
      ...settings,
    }
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
    this.#process = new ServerProcess({
      program: 'redis-server',
      args: () => args,
      dir: this.dir,
      ready: 'Ready to accept connections',
      port,
    })
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    await this.#process.start()
  }

  async kill(): Promise<void> {
    await this.#process.kill()
  }

  pause(): void {
    this.#process.pause()
  }

  resume(): void {
    this.#process.resume()
  }

  async restart(): Promise<void> {
    await this.#process.end()
    await this.#process.start()
  }

  async stop(): Promise<void> {
    await this.#process.kill()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

import type { Env, Timer } from '../../../core/env.ts'
import { messageOf, StorageError } from '../../../core/errors.ts'
import { backoffMs, withDeadline } from '../../../core/time.ts'
import { openNodeClient } from './node-client.ts'
import type { RedisAddress, ResolvedRedisConnection } from './options.ts'
import type { RawConnection } from './raw-connection.ts'
import type { RedisRouter } from './router.ts'
import { readServerInfo, type RedisServerInfo } from './server-info.ts'

const BACKOFF = { firstMs: 50, maxMs: 2_000 }

export interface RedisNodeOptions {
  readonly env: Env
  readonly connection: ResolvedRedisConnection
  /** Where the server is now; asked before each attempt. */
  readonly locate: () => Promise<RedisAddress>
  /** Makes one connection. Default: with node-redis. */
  readonly open?: typeof openNodeClient | undefined
}

/**
 * The connection to one server: a fixed one, the master that Sentinels name, or a node of a Cluster. It is made again whenever it is lost. A command goes out once: while
 * there is no connection it is refused, and nothing waits for the next one.
 */
export class RedisNode implements RedisRouter {
  readonly isCluster = false
  readonly hasFailover: boolean
  readonly #options: RedisNodeOptions
  #raw: RawConnection | undefined
  #info: RedisServerInfo | undefined
  #epoch = 0
  #opening: Promise<void> | undefined
  #retry: Timer | undefined
  #attempt = 0
  #closed = false
  #lastError: unknown

  constructor(options: RedisNodeOptions) {
    this.#options = options
    this.hasFailover = options.connection.mode === 'sentinel'
  }

  get ready(): boolean {
    return this.#raw !== undefined
  }

  get lastError(): string | undefined {
    return this.#lastError === undefined ? undefined : messageOf(this.#lastError)
  }

  /** Counts the connections: another one may lead to a server that has lost data. */
  get epoch(): number {
    return this.#epoch
  }

  get servers(): readonly RedisServerInfo[] {
    return this.#info === undefined ? [] : [this.#info]
  }

  /** Resolves when there is a connection; rejects when the attempt that runs or begins now fails. */
  async connect(): Promise<void> {
    if (this.#raw !== undefined) return
    if (this.#closed) throw new StorageError('CLOSED', 'Redis backend is closed')
    this.#retry?.cancel()
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined))
    await this.#opening
  }

  async send(_key: string, args: readonly string[]): Promise<unknown> {
    if (this.#raw === undefined) {
      const why = this.#lastError === undefined ? '' : `: ${messageOf(this.#lastError)}`
      throw new StorageError('UNAVAILABLE', `Redis is not connected${why}`, {
        cause: this.#lastError,
      })
    }
    return await this.#raw.send(args)
  }

  /** Reads the settings again; what fails is left for the next time. */
  async refresh(): Promise<void> {
    const raw = this.#raw
    if (raw === undefined) return
    try {
      const limitMs = this.#options.connection.commandTimeoutMs
      const { env } = this.#options
      const info = await withDeadline(env, limitMs, 'reading the settings', readServerInfo(raw))
      if (this.#raw === raw) this.#info = info
    } catch (error) {
      this.#options.env.logger.debug({ error: messageOf(error) }, 'Redis: settings were not read')
    }
  }

  runIdOf(_key: string): string {
    return this.#info?.runId ?? 'unknown'
  }

  /** Gives the connection up and looks for the server anew. */
  misled(_key: string, error: unknown): void {
    const raw = this.#raw
    if (raw === undefined) return
    this.#lost(raw, error)
    raw.destroy()
  }

  close(): void {
    this.#closed = true
    this.#retry?.cancel()
    this.#raw?.destroy()
    this.#raw = undefined
  }

  async #open(): Promise<void> {
    const { env, connection, locate, open = openNodeClient } = this.#options
    let raw: RawConnection | undefined
    let lost = false
    try {
      const address = await locate()
      const opened = await open(env, address, connection, (error) => {
        lost = true
        if (raw !== undefined) this.#lost(raw, error)
      })
      raw = opened
      const what = 'the first answer of Redis'
      const info = await withDeadline(env, connection.connectTimeoutMs, what, readServerInfo(raw))
      if (info.role !== 'master' && info.role !== 'unknown') {
        throw new StorageError(
          'UNAVAILABLE',
          `Redis at ${address.host}:${address.port} is a replica`,
        )
      }
      if (info.isLoading) throw new StorageError('UNAVAILABLE', 'Redis is loading its data')
      if (lost) throw new StorageError('UNAVAILABLE', 'the connection to Redis was lost at once')
      if (this.#closed) throw new StorageError('CLOSED', 'Redis backend is closed')
      this.#raw = raw
      this.#info = info
      this.#epoch++
      this.#attempt = 0
      this.#lastError = undefined
    } catch (error) {
      raw?.destroy()
      this.#lastError = error
      this.#lookAgain()
      throw error
    }
  }

  #lost(raw: RawConnection, error: unknown): void {
    if (this.#raw !== raw) return
    this.#raw = undefined
    this.#lastError = error
    this.#options.env.logger.debug({ error: messageOf(error) }, 'Redis: the connection was lost')
    this.#lookAgain()
  }

  #lookAgain(): void {
    if (this.#closed) return
    const delayMs = backoffMs(this.#options.env, this.#attempt++, BACKOFF)
    this.#retry?.cancel()
    this.#retry = this.#options.env.setTimer(delayMs, () => {
      this.connect().catch(() => {
        // Told by `send`; the next attempt is under way.
      })
    })
  }
}

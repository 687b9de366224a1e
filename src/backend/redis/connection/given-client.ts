import type { Env } from '../../../core/env.ts'
import { invalid, messageOf, StorageError } from '../../../core/errors.ts'
import { hasMethods, value } from '../../../core/option-kinds.ts'
import type { Option } from '../../../core/options.ts'
import { withDeadline } from '../../../core/time.ts'
import type { RawConnection } from './raw-connection.ts'
import type { RedisRouter } from './router.ts'
import { readServerInfo, type RedisServerInfo } from './server-info.ts'

/**
 * A client of `ioredis` (`new Redis()`, `new Redis.Cluster()`) or of `redis` (`createClient()`), as
 * far as it is used.
 */
export type GivenClient = IoredisClient | NodeRedisClient

/** A client of ioredis. */
export interface IoredisClient {
  readonly status: string
  readonly isCluster?: boolean
  readonly options: object
  call(command: string, ...args: string[]): Promise<unknown>
  connect(): Promise<unknown>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
  nodes?(role: 'master'): IoredisClient[]
}

/** A client of node-redis for one server. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  sendCommand(args: readonly string[]): Promise<unknown>
  connect(): Promise<unknown>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

/** What a client must have; `GivenRouter` looks closer when it is made. */
export const CLIENT_OPTION: Option<GivenClient> = value(
  'a client of redis or ioredis',
  (given) =>
    hasMethods(given, ['connect', 'on', 'off']) &&
    (hasMethods(given, ['call']) || hasMethods(given, ['sendCommand'])),
)

/** Names it in messages. */
const CLIENT = 'the Redis client of the application'

/** Commands through a client that the application has opened, and that it closes. */
export class GivenRouter implements RedisRouter {
  readonly isCluster: boolean
  readonly hasFailover: boolean
  readonly #env: Env
  readonly #client: GivenClient
  readonly #connectTimeoutMs: number
  #servers: readonly RedisServerInfo[] = []
  #epoch = 0
  #isListening = false

  constructor(env: Env, client: GivenClient, connectTimeoutMs: number) {
    this.#env = env
    this.#connectTimeoutMs = connectTimeoutMs
    this.#client = client
    this.isCluster = isIoredis(client) && client.isCluster === true
    this.hasFailover = this.isCluster || (isIoredis(client) && 'sentinels' in client.options)
    checkClient(client)
  }

  get ready(): boolean {
    const client = this.#client
    return isIoredis(client) ? client.status === 'ready' : client.isReady
  }

  get epoch(): number {
    return this.#epoch
  }

  get servers(): readonly RedisServerInfo[] {
    return this.#servers
  }

  async connect(): Promise<void> {
    if (!this.#isListening) {
      this.#isListening = true
      this.#client.on('ready', this.#onReady)
      // A cluster has a connection for each node, and tells of each.
      this.#client.on('+node', this.#onReady)
      this.#client.on('error', this.#onError)
    }
    // The client is the application's: what was not answered must not leave anything on it.
    const left = new AbortController()
    const asked = this.#whenReady(left.signal).then(() => this.#readServers())
    const context = { effect: 'none' } as const
    try {
      await withDeadline(this.#env, this.#connectTimeoutMs, CLIENT, asked, context)
    } finally {
      left.abort()
    }
  }

  async send(_key: string, args: readonly string[]): Promise<unknown> {
    if (!this.ready) throw new StorageError('UNAVAILABLE', 'the Redis client is not connected')
    return await sendWith(this.#client, args)
  }

  runIdOf(_key: string): string {
    return this.#servers.map(({ runId }) => runId).join()
  }

  misled(): void {
    // The client finds the new master itself.
  }

  async refresh(): Promise<void> {
    try {
      await this.#readServers()
    } catch (error) {
      this.#env.logger.debug({ error: messageOf(error) }, 'Redis: settings were not read')
    }
  }

  close(): void {
    this.#isListening = false
    this.#client.off('ready', this.#onReady)
    this.#client.off('+node', this.#onReady)
    this.#client.off('error', this.#onError)
  }

  async #whenReady(left: AbortSignal): Promise<void> {
    const client = this.#client
    if (this.ready) return
    if (isIoredis(client) ? client.status === 'wait' : !client.isOpen) await client.connect()
    if (this.ready) return
    left.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const failed = (error: unknown): void => reject(error as Error)
      const ready = (): void => resolve()
      client.on('ready', ready)
      client.on('error', failed)
      left.addEventListener('abort', () => {
        client.off('ready', ready)
        client.off('error', failed)
      })
    })
  }

  async #readServers(): Promise<void> {
    const client = this.#client
    const nodes =
      isIoredis(client) && client.isCluster === true ? (client.nodes?.('master') ?? []) : [client]
    this.#servers = await Promise.all(
      nodes.map(async (node) => {
        const raw: RawConnection = {
          send: async (args) => await sendWith(node, args),
          destroy: () => {},
        }
        return await readServerInfo(raw)
      }),
    )
  }

  readonly #onReady = (): void => {
    // A cluster that is still connecting must not be disturbed: 'ready' follows.
    if (!this.ready) return
    // The run id has to be known before the data is looked at again.
    const next = (): unknown => this.#epoch++
    this.#readServers().then(next, next)
  }

  readonly #onError = (error: unknown): void => {
    this.#env.logger.debug({ error: messageOf(error) }, 'Redis: the client reports an error')
  }
}

async function sendWith(client: GivenClient, args: readonly string[]): Promise<unknown> {
  if (!isIoredis(client)) return await client.sendCommand(args)
  return await client.call(args[0]!, ...args.slice(1))
}

function isIoredis(client: GivenClient): client is IoredisClient {
  return typeof (client as Partial<IoredisClient>).call === 'function'
}

function checkClient(client: GivenClient): void {
  if (!isIoredis(client)) {
    if (typeof client.sendCommand === 'function' && 'isReady' in client) return
    throw invalid('client must be a client of ioredis, or of redis for one server')
  }
  const own = client.options as Record<string, unknown>
  const nodes = own['redisOptions'] as Record<string, unknown> | undefined
  const options = client.isCluster === true ? (nodes ?? {}) : own
  if (options['autoResendUnfulfilledCommands'] === false) return
  throw invalid(
    'client must be made with autoResendUnfulfilledCommands: false; otherwise ioredis runs commands twice after a reset',
  )
}

import type { ConnectionOptions } from 'node:tls'
import { exportsOf, installedDriver } from '../../import-driver.ts'
import type { Env } from '../../../core/env.ts'
import { withDeadline } from '../../../core/time.ts'
import type { RedisAddress } from './options.ts'
import type { RawConnection } from './raw-connection.ts'

export interface NodeClientOptions {
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: ConnectionOptions | undefined
  readonly connectTimeoutMs: number
  readonly socketTimeoutMs: number
}

/** The client of the `redis` package, as far as it is used. */
interface NodeRedisClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  connect(): Promise<unknown>
  destroy(): void
  sendCommand(args: readonly string[]): Promise<unknown>
  on(event: 'error' | 'end' | 'terminated', listener: (error?: unknown) => void): unknown
}

interface RedisPackage {
  readonly createClient: (options: object) => NodeRedisClient
}

/**
 * Opens one connection with node-redis. It is never opened again by the client: whoever uses it is
 * told by `onLost`, so nothing is ever sent twice, nor sent to another server than it was meant for.
 */
export async function openNodeClient(
  env: Env,
  address: RedisAddress,
  options: NodeClientOptions,
  onLost: (error: unknown) => void,
): Promise<RawConnection> {
  const { createClient } = await loadRedis()
  const client = createClient(clientOptions(address, options))
  let ended = false
  const lost = (error?: unknown): void => {
    if (ended || client.isReady) return
    ended = true
    onLost(error)
  }
  // Without a listener an error of an idle connection ends the process.
  client.on('error', lost)
  client.on('terminated', lost)
  client.on('end', lost)
  const destroy = (): void => {
    ended = true
    // A client that is closed already says so by throwing.
    if (client.isOpen) client.destroy()
  }
  try {
    // Its own limit ends with the TCP connection: a stopped server never answers the handshake.
    const what = `connecting to Redis at ${address.host}:${address.port}`
    await withDeadline(env, options.connectTimeoutMs, what, client.connect(), { effect: 'none' })
  } catch (error) {
    destroy()
    throw error
  }
  return { send: async (args) => await client.sendCommand(args), destroy }
}

function clientOptions({ host, port }: RedisAddress, options: NodeClientOptions): object {
  const { username, password, db, tls, connectTimeoutMs, socketTimeoutMs } = options
  return {
    RESP: 2,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    database: db,
    disableOfflineQueue: true,
    disableClientInfo: true,
    pingInterval: Math.max(10, Math.floor(socketTimeoutMs / 3)),
    socket: {
      host,
      port,
      ...(tls !== undefined && { tls: true, ...tls }),
      connectTimeout: connectTimeoutMs,
      socketTimeout: socketTimeoutMs,
      reconnectStrategy: false,
    },
  }
}

async function loadRedis(): Promise<RedisPackage> {
  try {
    return exportsOf<RedisPackage>(await import('redis'))
  } catch (error) {
    return installedDriver<RedisPackage>('Redis', 'redis', error)
  }
}

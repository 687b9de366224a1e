import type { Env } from '../../../core/env.ts'
import type { openNodeClient } from './node-client.ts'
import type { RedisAddress, ResolvedRedisConnection } from './options.ts'
import { RedisNode } from './redis-node.ts'
import type { RedisRouter } from './router.ts'
import { askSentinels } from './sentinel.ts'
import type { RedisServerInfo } from './server-info.ts'

/** One server: a fixed one, or the master that Sentinels name. */
export class SingleRouter implements RedisRouter {
  readonly isCluster = false
  readonly hasFailover: boolean
  readonly #node: RedisNode

  /** `open` makes a connection: another one in tests. */
  constructor(env: Env, connection: ResolvedRedisConnection, open?: typeof openNodeClient) {
    const locate = async (): Promise<RedisAddress> =>
      connection.mode === 'sentinel' ? await askSentinels(env, connection) : connection.nodes[0]!
    this.hasFailover = connection.mode === 'sentinel'
    this.#node = new RedisNode({ env, connection, locate, open })
  }

  get ready(): boolean {
    return this.#node.ready
  }

  get generation(): number {
    return this.#node.generation
  }

  get servers(): readonly RedisServerInfo[] {
    return this.#node.info === undefined ? [] : [this.#node.info]
  }

  async connect(): Promise<void> {
    await this.#node.connect()
  }

  async send(_key: string, args: readonly string[]): Promise<unknown> {
    return await this.#node.send(args)
  }

  runIdOf(_key: string): string {
    return this.#node.info?.runId ?? 'unknown'
  }

  misled(_key: string, error: unknown): void {
    this.#node.renew(error)
  }

  async refresh(): Promise<void> {
    await this.#node.refresh()
  }

  close(): void {
    this.#node.close()
  }
}

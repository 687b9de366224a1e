import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { redisCommand } from './redis-command.ts'
import { startRedis, type RedisServer, type RedisServerOptions } from './redis-server.ts'

const SLOTS = 16_384
const FORM_MS_MAX = 30_000

/** Masters that share the slots, each a server of this test's own. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  /** Of the first node, with `?cluster=true`. */
  readonly url: string
  stop(): Promise<void>
}

/** Starts a Cluster of masters without replicas: what one of them has is away while it is. */
export async function startRedisCluster(
  options: RedisServerOptions = {},
  masters = 3,
): Promise<RedisCluster> {
  const nodes = await Promise.all(
    Array.from({ length: masters }, async () => {
      const settings = {
        'cluster-enabled': 'yes',
        // Not the port plus 10,000: that may be above the last one.
        'cluster-port': String(await freePort()),
        // A busy machine must not be taken for a node that is away.
        'cluster-node-timeout': '15000',
        'cluster-require-full-coverage': 'no',
        ...options.settings,
      }
      return { server: await startRedis({ ...options, settings }), bus: settings['cluster-port'] }
    }),
  )
  const servers = nodes.map(({ server }) => server)
  const [first] = servers
  for (const [i, { url }] of servers.entries()) {
    const from = Math.floor((i * SLOTS) / masters)
    const to = Math.floor(((i + 1) * SLOTS) / masters) - 1
    await redisCommand(url, 'CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
    if (i === 0) continue
    const { server, bus } = nodes[i]!
    const address = ['127.0.0.1', String(server.port), bus]
    await redisCommand(first!.url, 'CLUSTER', 'MEET', ...address)
  }
  await formed(servers)
  return {
    nodes: servers,
    url: `${first!.url}?cluster=true`,
    stop: async () => {
      await Promise.all(servers.map(async (server) => await server.stop()))
    },
  }
}

/** Resolves when every node knows of every slot. */
export async function formed(servers: readonly RedisServer[]): Promise<void> {
  const deadline = Date.now() + FORM_MS_MAX
  for (const { url } of servers) {
    for (;;) {
      const info = String(await redisCommand(url, 'CLUSTER', 'INFO'))
      if (info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`)) break
      if (Date.now() > deadline) throw new Error(`the Cluster did not form: ${info}`)
      await delay(20)
    }
  }
}

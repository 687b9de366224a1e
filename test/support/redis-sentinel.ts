import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { redisCommand } from './redis-command.ts'
import { startRedis, type RedisServer, type RedisServerOptions } from './redis-server.ts'
import { ServerProcess } from './server-process.ts'

const NAME = 'mymaster'
const FORM_MS_MAX = 30_000

export interface RedisSentinelOptions extends RedisServerOptions {
  /** A master that does not answer for this long is replaced. Default: 1,000. */
  readonly downAfterMs?: number
}

/** A master and its replica, watched by three Sentinels. */
export interface RedisSentinels {
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly name: string
  readonly sentinels: readonly { readonly host: string; readonly port: number }[]
  /** Of the first Sentinel, with `?sentinel=` and the others. */
  readonly url: string
  /** Port of the server that the Sentinels name as the master now. */
  masterPort(): Promise<number>
  stop(): Promise<void>
}

/** Starts them, and waits until the replica could take over. */
export async function startSentinel({
  downAfterMs = 1_000,
  ...options
}: RedisSentinelOptions = {}): Promise<RedisSentinels> {
  const master = await startRedis(options)
  const replica = await startRedis({
    ...options,
    settings: { ...options.settings, replicaof: `127.0.0.1 ${master.port}` },
  })
  const dir = mkdtempSync(join(tmpdir(), 'everthread-sentinel-'))
  const watchers: { readonly port: number; readonly process: ServerProcess }[] = []
  for (let i = 0; i < 3; i++) watchers.push(await startWatcher(dir, master.port, downAfterMs))
  const sentinels = watchers.map(({ port }) => ({ host: '127.0.0.1', port }))
  const [first, ...others] = sentinels
  const firstUrl = `redis://127.0.0.1:${first!.port}`
  const nodes = others.map(({ host, port }) => `${host}:${port}`).join()
  const deadline = Date.now() + FORM_MS_MAX
  for (;;) {
    const info = await redisCommand(firstUrl, 'SENTINEL', 'MASTER', NAME)
    const fields = info as readonly string[]
    const field = (name: string): string => fields[fields.indexOf(name) + 1]!
    const replicas = String(await redisCommand(firstUrl, 'SENTINEL', 'REPLICAS', NAME))
    const isLinked = replicas.includes('master-link-status,ok')
    if (field('num-other-sentinels') === '2' && isLinked) break
    if (Date.now() > deadline) throw new Error(`the Sentinels did not meet: ${replicas}`)
    await delay(50)
  }
  return {
    master,
    replica,
    name: NAME,
    sentinels,
    url: `${firstUrl}?sentinel=${NAME}&nodes=${nodes}`,
    masterPort: async () => {
      const address = await redisCommand(firstUrl, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)
      return Number((address as readonly string[])[1])
    },
    stop: async () => {
      await Promise.all(watchers.map(async ({ process }) => await process.kill()))
      await Promise.all([master.stop(), replica.stop()])
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function startWatcher(
  dir: string,
  masterPort: number,
  downAfterMs: number,
): Promise<{ port: number; process: ServerProcess }> {
  const port = await freePort()
  const file = join(dir, `sentinel-${port}.conf`)
  writeFileSync(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${dir}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} 2`,
      `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${NAME} 5000`,
      '',
    ].join('\n'),
  )
  const process = new ServerProcess({
    program: 'redis-server',
    args: () => [file, '--sentinel'],
    dir,
    ready: '+monitor master',
    port,
  })
  await process.start()
  return { port, process }
}

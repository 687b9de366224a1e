import { randomBytes } from 'node:crypto'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { RedisCacheBackend } from '../../src/backend/redis/cache.ts'
import { RedisDatabaseBackend, type RedisOptions } from '../../src/backend/redis/index.ts'
import { crc16 } from '../../src/backend/redis/connection/slots.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { openChatHistory } from '../../src/index.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { redisCommand } from '../support/redis-command.ts'
import { startSentinel } from '../support/redis-sentinel.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

const POLL = { timeout: 40_000, interval: 50 }

describeRedis('Redis that forgets', () => {
  // Goal: a restart that loses acknowledged changes is noticed, by whoever had them acknowledged.
  // Method: power is cut by bringing back the append-only file of a moment before.
  test('a server that lost its last second gets a new identity; one that lost nothing keeps it', async () => {
    const server = await start('everysec')
    const options = { port: server.port, keyPrefix: freshPrefix() }
    const [writer, other] = [await connected(options), await connected(options)]
    await writer.apply([append('k', stampAt(1), 1)], { decide: true })
    await other.apply([append('j', stampAt(1), 1)], { decide: true })
    const { identity } = await writer.readState('w')

    // A clean end: with everysec even a kill may lose what waits for a sync that is under way.
    await server.restart()
    await expect.poll(async () => await identityOf(writer), POLL).toBe(identity)
    await expect.poll(async () => await identityOf(other), POLL).toBe(identity)

    const keep = saveFiles(server)
    await writer.apply([append('k', stampAt(2), 2)], {
      decide: true,
      cursor: { writer: 'w', lsn: 9 },
    })
    await other.disconnect()
    await server.kill()
    keep.restore()
    await server.restart()
    // Another process is there first, knows of no loss and writes: the count of changes catches up.
    await other.connect()
    for (let i = 0; i < 5; i++) await other.apply([append('j', stampAt(5 + i), i)])
    await expect.poll(async () => await identityOf(writer), POLL).not.toMatch(/^away/)
    const state = await writer.readState('w')
    expect(state.identity).not.toBe(identity)
    expect(state.cursor).toBeUndefined()
    expect((await other.readState('w')).identity).toBe(state.identity)
    expect(await writer.getRange('k', 0, 9)).toEqual([1])
    expect(await writer.getRange('j', 0, 9)).toHaveLength(6)
  })

  test('a hint that a server lost is not passed over', async () => {
    const server = await start('everysec')
    const writer = await connected({ port: server.port })
    await writer.apply([append('k', stampAt(1), 1)], { decide: true })
    await server.restart()
    await expect.poll(async () => await identityOf(writer), POLL).not.toMatch(/^away/)
    const keep = saveFiles(server)
    const { identity } = await writer.apply([], { hint: 'w' })
    await server.kill()
    keep.restore()
    await server.restart()
    await expect.poll(async () => await identityOf(writer), POLL).not.toMatch(/^away/)
    expect((await writer.readState('w')).hints).toHaveLength(0)
    expect(await identityOf(writer)).not.toBe(identity)
  })

  test('a hint is a change of its own shard, whichever shard its operations are in', async () => {
    const server = await start('everysec')
    const options = { port: server.port, keyPrefix: freshPrefix(), shards: 2 }
    const writer = await connected(options)
    const writes = async (): Promise<number> =>
      Number(await redisCommand(server.url, 'HGET', `${options.keyPrefix}{0}:meta`, 'writes'))
    const before = await writes()
    const key = ['a', 'b', 'c', 'd'].find((name) => crc16(name) % 2 === 1)!
    await writer.apply([append(key, stampAt(1), 1)], { decide: true, hint: 'w' })
    expect(await writes()).toBe(before + 1)
  })

  test.each<[string, Readonly<Record<string, string>>, boolean, RegExp]>([
    ['always', { appendfsync: 'always' }, true, /appendfsync is always/],
    ['everysec', { appendfsync: 'everysec' }, false, /may lose about a second/],
    ['no fsync', { appendfsync: 'no' }, false, /may lose acknowledged writes/],
    ['no file', { appendonly: 'no' }, false, /appendonly is no/],
    [
      'a limit that evicts nothing of ours',
      { maxmemory: '500mb', 'maxmemory-policy': 'volatile-lru' },
      true,
      /maxmemory-policy is volatile-lru/,
    ],
  ])('durability is read from the server: %s', async (_name, settings, durable, reason) => {
    const server = await startRedis({ settings })
    onTestFinished(async () => await server.stop())
    const backend = await connected({ port: server.port })
    expect(backend.getDurability().durable).toBe(durable)
    expect(backend.getDurability().reasons.join('; ')).toMatch(reason)
  })

  // Goal: nothing that was acknowledged is thrown away by a server that is full.
  test('a server that evicts is refused as a database, and may be a cache', async () => {
    const settings = { maxmemory: '500mb', 'maxmemory-policy': 'allkeys-lru' }
    const server = await startRedis({ settings })
    onTestFinished(async () => await server.stop())
    const refused = /MESSAGES MAY BE EVICTED: maxmemory-policy is allkeys-lru .* must be noeviction/
    const backend = new RedisDatabaseBackend({ port: server.port })
    onTestFinished(async () => await backend.disconnect())
    const attempt = backend.connect()
    await expect(attempt).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(attempt).rejects.toThrow(refused)
    const primary = { type: 'redis', url: server.url } as const
    const store = { primary, backup: 'memory:', wal: { type: 'in-memory' } } as const
    await expect(openChatHistory(store)).rejects.toThrow(refused)
    const cache = new RedisCacheBackend({ port: server.port })
    onTestFinished(async () => await cache.disconnect())
    await cache.connect()
    await cache.set('k', 1)
    expect(await cache.get('k')).toBe(1)
  })

  test('a database is not durable any more when its server begins to evict', async () => {
    const env = nodeEnv()
    const said: string[] = []
    const logger = { ...env.logger, error: (_: unknown, text: string) => void said.push(text) }
    const server = await start('always')
    // Settings are read again every ten seconds: here the clock goes faster than that.
    let fasterMs = 0
    const monotonic = (): number => env.monotonic() + fasterMs
    const backend = new RedisDatabaseBackend({ port: server.port }, { ...env, logger, monotonic })
    onTestFinished(async () => await backend.disconnect())
    await backend.connect()
    expect(backend.getDurability().durable).toBe(true)
    await redisCommand(server.url, 'CONFIG', 'SET', 'maxmemory', '500mb')
    await redisCommand(server.url, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu')
    const isDurable = async (): Promise<boolean> => {
      fasterMs += 10_000
      await backend.readState('w')
      return backend.getDurability().durable
    }
    await expect.poll(isDurable, POLL).toBe(false)
    await expect.poll(() => said.length, POLL).toBe(1)
    expect(said[0]).toMatch(/maxmemory-policy is allkeys-lfu .* not durable any more/)
  })

  test('durability is read again when the server was started anew', async () => {
    const server = await start('always')
    const backend = await connected({ port: server.port })
    expect(backend.getDurability().durable).toBe(true)
    const [before] = backend.getServers()
    await redisCommand(server.url, 'CONFIG', 'SET', 'appendfsync', 'everysec')
    await redisCommand(server.url, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await expect.poll(() => backend.getDurability().durable, POLL).toBe(false)
    await server.restart()
    await expect.poll(() => backend.getServers()[0]?.runId, POLL).not.toBe(before!.runId)
    await expect.poll(() => backend.isConnected(), POLL).toBe(true)
    expect(backend.getDurability().reasons.join('; ')).toMatch(/appendfsync is always/)
  })

  // Goal: the replica that takes over is found, and what it lacks is not passed over in silence.
  test('behind Sentinels the new master is used, and a loss by the failover is noticed', async () => {
    const sentinels = await startSentinel()
    onTestFinished(async () => await sentinels.stop())
    const backend = await connected({ url: sentinels.url, socketTimeoutMs: 600 })
    expect(backend.getDurability()).toMatchObject({ durable: false })
    expect(backend.getDurability().reasons.join()).toMatch(/failover/)
    await backend.append('k', 'kept')
    const received = async (): Promise<string> => {
      const info = String(await redisCommand(sentinels.replica.url, 'INFO', 'replication'))
      const master = String(await redisCommand(sentinels.master.url, 'INFO', 'replication'))
      const of = (text: string, name: string): string =>
        new RegExp(`${name}:(\\d+)`).exec(text)![1]!
      return of(info, 'slave_repl_offset') === of(master, 'master_repl_offset') ? 'all' : 'part'
    }
    await expect.poll(received, POLL).toBe('all')
    const { identity } = await backend.readState('w')
    sentinels.replica.pause()
    await redisCommand(sentinels.master.url, 'CLIENT', 'KILL', 'TYPE', 'replica')
    await backend.append('k', 'lost')
    await sentinels.master.kill()
    sentinels.replica.resume()
    await expect.poll(async () => await identityOf(backend), POLL).not.toMatch(/^away/)
    expect(await sentinels.masterPort()).toBe(sentinels.replica.port)
    expect(await backend.getRange('k', 0, 9)).toEqual(['kept'])
    expect(await identityOf(backend)).not.toBe(identity)
    await backend.append('k', 'after')
    // The old master comes back as a replica: it is not mistaken for the master.
    await sentinels.master.restart()
    await backend.append('k', 'later')
    expect(await backend.getRange('k', 0, 9)).toEqual(['kept', 'after', 'later'])
  })
})

async function identityOf(backend: RedisDatabaseBackend): Promise<string> {
  try {
    return (await backend.readState('w')).identity
  } catch (error) {
    return `away: ${String(error)}`
  }
}

/** Keeps the append-only files as they are now, and brings them back. */
function saveFiles(server: RedisServer): { restore(): void } {
  const data = join(server.dir, 'data')
  const copy = join(server.dir, 'copy')
  cpSync(data, copy, { recursive: true })
  return {
    restore: () => {
      rmSync(data, { recursive: true })
      cpSync(copy, data, { recursive: true })
    },
  }
}

async function start(appendfsync: 'always' | 'everysec'): Promise<RedisServer> {
  const server = await startRedis({ appendfsync })
  onTestFinished(async () => await server.stop())
  return server
}

async function connected(options: RedisOptions): Promise<RedisDatabaseBackend> {
  const backend = new RedisDatabaseBackend({ keyPrefix: freshPrefix(), ...options })
  onTestFinished(async () => await backend.disconnect())
  await backend.connect()
  return backend
}

function freshPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}:`
}

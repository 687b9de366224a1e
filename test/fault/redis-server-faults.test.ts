import { randomBytes } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { RedisDatabaseBackend, type RedisOptions } from '../../src/backend/redis/index.ts'
import { isStorageError } from '../../src/core/errors.ts'
import { append, clear, set, stampAt } from '../../src/testing/backend/operations.ts'
import { FaultProxy } from '../../src/testing/fault-proxy.ts'
import { redisCommand } from '../support/redis-command.ts'
import {
  describeRedis,
  startRedis,
  type RedisServer,
  type RedisServerOptions,
} from '../support/redis-server.ts'

const POLL = { timeout: 20_000 }

describeRedis('Redis that fails', () => {
  test('what was acknowledged is there after a kill, and so is the identity', async () => {
    const { server, backend } = await start()
    const before = await backend.readState('w')
    const calls = Array.from({ length: 300 }, async (_, i) => {
      await backend.apply([append(`k${i % 7}`, stampAt(i), i)], { decide: true })
      if (i === 200) await server.kill()
      return i
    })
    const saved = (await Promise.allSettled(calls)).flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    )
    expect(saved.length).toBeGreaterThan(200)
    await server.kill()
    await server.restart()
    await answers(backend)
    expect((await backend.readState('w')).identity).toBe(before.identity)
    for (let key = 0; key < 7; key++) {
      const stored = await backend.getRange<number>(`k${key}`, 0, 1_000)
      for (const i of saved.filter((n) => n % 7 === key)) expect(stored).toContain(i)
      expect(new Set(stored).size).toBe(stored.length)
    }
  })

  test('a server that is away refuses at once and without effect, and is used again', async () => {
    const { server, backend } = await start()
    await server.kill()
    await expect.poll(() => backend.isConnected(), POLL).toBe(false)
    const call = backend.apply([append('k', stampAt(1), 1)], { decide: true })
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    await expect(backend.readRegister('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const late = new RedisDatabaseBackend({ url: server.url })
    onTestFinished(async () => await late.disconnect())
    await expect(late.connect()).rejects.toMatchObject({ code: 'CONNECTION' })
    await server.restart()
    await answers(backend)
    await answers(late)
    expect((await late.countItems('k')).count).toBe(0)
  })

  test('a server that hangs costs one timeout; what it had been sent is there once', async () => {
    const { server, backend } = await start({}, { commandTimeoutMs: 300, socketTimeoutMs: 600 })
    server.pause()
    try {
      const call = backend.apply([append('k', stampAt(1), 1, 'id')], { decide: true, unique: true })
      await expect(call).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
      await expect(backend.countItems('k')).rejects.toMatchObject({ effect: 'none' })
      await expect.poll(() => backend.isConnected(), POLL).toBe(false)
      // The socket opens, but nobody answers.
      const late = new RedisDatabaseBackend({ url: server.url, connectTimeoutMs: 300 })
      await expect(late.connect()).rejects.toMatchObject({ code: 'CONNECTION' })
      await late.disconnect()
    } finally {
      server.resume()
    }
    await answers(backend)
    const again = append('k', stampAt(2), 1, 'id')
    const { applied } = await backend.apply([again], { decide: true, unique: true })
    expect(['applied', 'stands']).toContain(applied[0]!.outcome)
    expect(await backend.getRange('k', 0, 9)).toEqual([1])
  })

  // Goal: a reset never runs a command twice unnoticed.
  // Method: the proxy lets the command through and drops its answer, then cuts the connection.
  test('a reply that is lost leaves the effect unknown; the command ran once', async () => {
    const { server } = await start()
    const proxy = await FaultProxy.open({ port: server.port })
    onTestFinished(async () => await proxy.close())
    const backend = await connected({ port: proxy.port, socketTimeoutMs: 400 })
    const writes = async (): Promise<number> => {
      const name = `${prefixes.get(backend)!}{0}:meta`
      return Number(await redisCommand(server.url, 'HGET', name, 'writes'))
    }
    await backend.apply([append('k', stampAt(1), 1)], { decide: true })
    const before = await writes()
    await proxy.set({ kind: 'drop', direction: 'down' })
    const lost = backend.apply([append('k', stampAt(2), 2, 'id')], { decide: true, unique: true })
    await expect(lost).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'unknown' })
    await proxy.set({ kind: 'pass' })
    await answers(backend)
    expect(await writes()).toBe(before + 1)
    expect(await backend.getRange('k', 0, 9)).toEqual([1, 2])
    const again = append('k', stampAt(3), 2, 'id')
    const { applied } = await backend.apply([again], { decide: true, unique: true })
    expect(applied).toMatchObject([{ outcome: 'stands', item: { position: stampAt(2) } }])
  })

  test('connections that are reset under load lose and double nothing', async () => {
    const { server } = await start()
    const proxy = await FaultProxy.open({ port: server.port })
    onTestFinished(async () => await proxy.close())
    const backend = await connected({ port: proxy.port })
    const saved: number[] = []
    for (let round = 0; round < 8; round++) {
      const calls = Array.from({ length: 25 }, async (_, i) => {
        const n = round * 25 + i
        const operation = append('k', stampAt(n), n, `id ${n}`)
        await backend.apply([operation], { decide: true, unique: true })
        saved.push(n)
      })
      // Some bytes into the answers.
      await proxy.set({
        kind: 'cut',
        bytes: round * 17,
        direction: round % 2 === 0 ? 'down' : 'up',
      })
      await Promise.allSettled(calls)
      await proxy.set({ kind: 'pass' })
      await answers(backend)
    }
    const stored = await backend.getRange<number>('k', 0, 1_000)
    expect(new Set(stored).size).toBe(stored.length)
    for (const n of saved) expect(stored).toContain(n)
  })

  // Goal: a server at its limit refuses whole groups, and goes on to be read.
  test('a server without memory refuses with OVERLOADED and nothing is half written', async () => {
    const { server, backend } = await start()
    await backend.apply([append('k', stampAt(1), 'old', 'id'), set('k', stampAt(1), 'old')])
    const before = await backend.digest(WHOLE_RANGE, 4)
    await redisCommand(server.url, 'CONFIG', 'SET', 'maxmemory', '1')
    const group = [
      append('k', stampAt(5), 'x'.repeat(10_000)),
      clear('other', stampAt(6)),
      set('other', stampAt(7), 'y'),
    ]
    for (const decide of [true, false]) {
      const call = backend.apply(group, { decide, hint: 'w', cursor: { writer: 'w', lsn: 3 } })
      await expect(call).rejects.toMatchObject({ code: 'OVERLOADED', effect: 'none' })
    }
    expect(await backend.digest(WHOLE_RANGE, 4)).toEqual(before)
    expect(await backend.getRange('k', 0, 9)).toEqual(['old'])
    expect(await backend.readState('w')).toMatchObject({ hints: [], head: stampAt(1) })
    const other = await connected({ port: server.port, keyPrefix: prefixes.get(backend)! })
    expect(await other.getRange('k', 0, 9)).toEqual(['old'])
    await redisCommand(server.url, 'CONFIG', 'SET', 'maxmemory', '0')
    const { applied } = await backend.apply(group, { decide: true })
    expect(applied.map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'applied'])
  })

  test('a database that is emptied under a connection is another one from then on', async () => {
    const { server, backend } = await start()
    const { identity } = await backend.apply([append('k', stampAt(1), 1)], { decide: true })
    await redisCommand(server.url, 'FLUSHALL')
    const page = await backend.readItems({ key: 'k', limit: 5, order: 'newest' })
    expect(page.items).toEqual([])
    expect(page.identity).not.toBe(identity)
    const { identity: later } = await backend.apply([append('k', stampAt(2), 2)], { decide: true })
    expect(later).toBe(page.identity)
    expect((await backend.readState('w')).identity).toBe(page.identity)
  })

  test('scripts that the server has forgotten are sent again', async () => {
    const { server, backend } = await start()
    await backend.append('k', 1)
    await redisCommand(server.url, 'SCRIPT', 'FLUSH')
    await backend.append('k', 2)
    expect(await backend.getRange('k', 0, 9)).toEqual([1, 2])
  })

  test('an idle connection that the server drops neither ends the process nor is noticed', async () => {
    const { server, backend } = await start()
    for (let i = 0; i < 5; i++) {
      await redisCommand(server.url, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await answers(backend)
    }
    await backend.append('k', 1)
    expect(await backend.getRange('k', 0, 9)).toEqual([1])
  })
})

const prefixes = new WeakMap<object, string>()

async function start(
  settings: RedisServerOptions = {},
  options: RedisOptions = {},
): Promise<{ server: RedisServer; backend: RedisDatabaseBackend }> {
  const server = await startRedis(settings)
  onTestFinished(async () => await server.stop())
  const backend = await connected({ port: server.port, ...options })
  return { server, backend }
}

async function connected(options: RedisOptions): Promise<RedisDatabaseBackend> {
  const chosen = { keyPrefix: `test-${randomBytes(6).toString('hex')}:`, ...options }
  const backend = new RedisDatabaseBackend(chosen)
  prefixes.set(backend, chosen.keyPrefix)
  onTestFinished(async () => await backend.disconnect())
  await backend.connect()
  return backend
}

/** Resolves when the backend answers again; it must get there by itself. */
async function answers(backend: RedisDatabaseBackend): Promise<void> {
  const ask = async (): Promise<string> => {
    try {
      await backend.readState('w')
      return 'there'
    } catch (error) {
      return isStorageError(error) ? error.code : String(error)
    }
  }
  await expect.poll(ask, POLL).toBe('there')
}

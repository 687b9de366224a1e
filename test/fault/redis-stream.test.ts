// Goal: what a shared log acknowledged is brought to both places whatever becomes of its server and
// of the processes; and a save goes on, or is refused, as configured while the log is away.
import { cpSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { effectOf } from '../../src/core/errors.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { DatabasePlace } from '../../src/core/places.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { FaultProxy } from '../../src/testing/fault-proxy.ts'
import type { RedisStreamWal } from '../../src/wal/redis-stream/stream-wal.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { redisCommand } from '../support/redis-command.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix, redisStreamWal } from '../support/redis-stream-wal.ts'

const LEASE_MS = 300

let server: RedisServer
let writers = 0

async function openLog(url: string, keyPrefix: string): Promise<RedisStreamWal> {
  const wal = redisStreamWal(
    { url, keyPrefix, commandTimeoutMs: 400, socketTimeoutMs: 600 },
    { leaseMs: LEASE_MS },
  )
  await wal.open(`8000-${(++writers).toString(16).padStart(12, '0')}`)
  onTestFinished(() => wal.close())
  return wal
}

async function bring(wal: RedisStreamWal, place: DatabasePlace, into: Set<string>): Promise<void> {
  const entries = await wal.read(place, 1_000)
  for (const { operations } of entries) {
    for (const operation of operations) if ('value' in operation) into.add(operation.value)
  }
  wal.acknowledge(
    place,
    entries.map(({ lsn }) => lsn),
  )
}

function isUp(wal: RedisStreamWal): Promise<void> {
  return eventually(() => expect(wal.stats().state).toBe('open'))
}

interface Stores {
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  open(wal: string, more?: ChatHistoryOptions): Promise<ChatHistory>
}

function stores(): Stores {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  return {
    primary,
    backup,
    async open(wal, more = {}) {
      const history = await openChatHistory({
        primary,
        backup,
        wal,
        drainTimeout: 1_000,
        health: {
          type: 'circuit-breaker',
          config: { circuitOpenDuration: 50, healthCheckInterval: 20 },
        },
        ...more,
      })
      onTestFinished(() => history.close())
      return history
    },
  }
}

async function contents(history: ChatHistory, conversation = 'c'): Promise<unknown[]> {
  const { messages } = await history.getHistory(conversation, { limit: 500 })
  return messages.map(({ content }) => content)
}

function streamUrl(target: RedisServer | FaultProxy, query = ''): string {
  return `redis-stream://127.0.0.1:${target.port}/0?keyPrefix=${freshPrefix()}&leaseMs=${LEASE_MS}${query}`
}

describeRedis('a log in Redis streams under faults', () => {
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(async () => {
    await server.stop()
  })

  test('entries of a process that died are brought by another one', async () => {
    const prefix = freshPrefix()
    const proxy = await FaultProxy.open({ port: server.port })
    onTestFinished(() => proxy.close())
    const a = await openLog(`redis://127.0.0.1:${proxy.port}`, prefix)
    const b = await openLog(server.url, prefix)
    const hold = ['primary', 'backup'] as const
    for (let i = 0; i < 30; i++) await a.append([append(`k${i}`, stampAt(i), i)], { hold })
    // From here on the first process is as good as dead.
    await proxy.set({ kind: 'black-hole' })
    const found = { primary: new Set<string>(), backup: new Set<string>() }
    await eventually(async () => {
      await bring(b, 'primary', found.primary)
      await bring(b, 'backup', found.backup)
      expect(found.primary.size + found.backup.size).toBe(60)
    })
  })

  test('what a restart of the server lost is appended again by those who know of it', async () => {
    const own = await startRedis()
    onTestFinished(() => own.stop())
    const prefix = freshPrefix()
    const a = await openLog(own.url, prefix)
    const b = await openLog(own.url, prefix)
    const hold = ['primary', 'backup'] as const
    const kept = await a.append([append('k', stampAt(1), 'kept')], { fresh: true, hold })
    a.acknowledge('primary', [kept])
    await eventually(async () => expect(await b.pending('primary', 'k')).toEqual([]))
    const copy = `${own.dir}-copy`
    onTestFinished(() => rmSync(copy, { recursive: true, force: true }))
    cpSync(join(own.dir, 'data'), copy, { recursive: true })
    const several = [append('k', stampAt(2), 'lost'), append('m', stampAt(2, 1), 'lost too')]
    const lost = await a.append(several, { fresh: true, hold })
    a.acknowledge('backup', [lost])
    await b.append([append('k', stampAt(3), 'lost of b')], { fresh: true, hold })
    await own.kill()
    // As after `everysec`: the end of the append-only file is gone.
    rmSync(join(own.dir, 'data'), { recursive: true })
    cpSync(copy, join(own.dir, 'data'), { recursive: true })
    await own.restart()
    await isUp(a)
    await isUp(b)
    const values = async (wal: RedisStreamWal, key: string): Promise<unknown[]> =>
      (await wal.pending('primary', key)).map(
        (operation) => 'value' in operation && operation.value,
      )
    for (const wal of [a, b]) {
      expect(new Set(await values(wal, 'k'))).toEqual(new Set(['"lost"', '"lost of b"']))
      expect(await values(wal, 'm')).toEqual(['"lost too"'])
    }
    // The backup had one of them: it is not asked to take it again.
    expect(await b.pending('backup', 'm')).toEqual([])
    expect(await b.pending('backup', 'k')).toHaveLength(2)
    // The sequencer goes on above what was lost, for every process.
    const late = a.append([append('k', stampAt(2, 5), 'between')], { fresh: true })
    await expect(late).rejects.toMatchObject({ name: 'BehindInLog' })
    const next = await a.append([append('k', stampAt(4), 'next')], { fresh: true })
    expect(next).toBeGreaterThan(lost)
  })

  test('a server that was emptied while it runs is filled again from memory', async () => {
    const own = await startRedis()
    onTestFinished(() => own.stop())
    const a = await openLog(own.url, freshPrefix())
    await a.append([append('k', stampAt(1), 'first')], { fresh: true, hold: ['primary'] })
    await redisCommand(own.url, 'FLUSHALL')
    await eventually(async () => expect(await a.pending('primary', 'k')).toHaveLength(1))
    await eventually(() =>
      a.append([append('k', stampAt(2), 'second')], { fresh: true, hold: ['primary'] }),
    )
    expect(await a.pending('primary', 'k')).toHaveLength(2)
  })

  // Found by the simulation: the hint went with the entry, and the primary alone was taken for complete.
  test('what the server and memory have lost is read from the backup until a pass has brought it', async () => {
    const own = await startRedis()
    onTestFinished(() => own.stop())
    const places = stores()
    const reconcile = 'on-demand'
    const history = await places.open(streamUrl(own, '&memoryBytesMax=0'), { reconcile })
    const reader = await places.open(streamUrl(own), { reconcile })
    await history.saveMessage('c', { role: 'user', content: 'first' })
    await history.flush()
    await history.reconcile()
    places.primary.setMode('refused')
    const receipt = await history.saveMessage('c', { role: 'user', content: 'second' })
    expect(receipt.copies).toEqual(['backup', 'wal'])
    await redisCommand(own.url, 'FLUSHALL')
    await eventually(() => expect(history.status().wal.reasons.join()).toMatch(/for good/))
    places.primary.setMode('up')
    await eventually(() => expect(history.status().places.primary.healthy).toBe(true))
    // Longer than the list of hints is polled for: one that is not owed any more would be gone.
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    for (const each of [history, reader]) {
      // A backup that is late on a busy machine leaves a page incomplete, and it says so.
      const { messages, complete } = await each.getHistory('c')
      if (complete) expect(messages).toHaveLength(2)
      await eventually(async () => expect(await contents(each)).toEqual(['first', 'second']))
    }
    await history.reconcile()
    places.backup.setMode('refused')
    expect(await contents(history)).toEqual(['first', 'second'])
    places.backup.setMode('up')
    await eventually(async () => expect((await places.backup.readHints()).hints).toEqual([]))
  })

  test.each([
    ['DEL', []],
    ['XTRIM', ['MAXLEN', '1']],
  ])(
    'entries that somebody removes with %s are appended again from memory',
    async (command, args) => {
      const own = await startRedis()
      onTestFinished(() => own.stop())
      const prefix = freshPrefix()
      const a = await openLog(own.url, prefix)
      const options = { fresh: true, hold: ['primary'] } as const
      for (const i of [1, 2, 3]) await a.append([append('k', stampAt(i), i)], options)
      const names = (await redisCommand(own.url, 'KEYS', `${prefix}*:s`)) as string[]
      for (const name of names) await redisCommand(own.url, command, name, ...args)
      await expect(a.append([append('k', stampAt(4), 4)], options)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        effect: 'none',
      })
      await eventually(async () => expect(await a.pending('primary', 'k')).toHaveLength(3))
      await eventually(() => a.append([append('k', stampAt(4), 4)], options))
      const b = await openLog(own.url, prefix)
      for (const wal of [a, b]) expect(await wal.pending('primary', 'k')).toHaveLength(4)
    },
  )

  test('a stream that is removed while it is empty is made again', async () => {
    const own = await startRedis()
    onTestFinished(() => own.stop())
    const prefix = freshPrefix()
    const a = await openLog(own.url, prefix)
    const names = (await redisCommand(own.url, 'KEYS', `${prefix}*:s`)) as string[]
    await redisCommand(own.url, 'DEL', ...names)
    await eventually(() => a.append([append('k', stampAt(1), 1)], { fresh: true }))
    expect(await a.pending('primary', 'k')).toHaveLength(1)
  })

  // Its entries never expire, but what keeps stamps in order does.
  test.each(['allkeys-lru', 'volatile-ttl'])(
    'a server whose policy is %s is refused as a log',
    async (policy) => {
      const settings = { maxmemory: '500mb', 'maxmemory-policy': policy }
      const own = await startRedis({ settings })
      onTestFinished(() => own.stop())
      const attempt = openLog(own.url, freshPrefix())
      await expect(attempt).rejects.toMatchObject({ code: 'UNSUPPORTED' })
      await expect(attempt).rejects.toThrow(`maxmemory-policy is ${policy}`)
    },
  )

  // Found by the simulation: after a first try that failed half way the log was taken for whole.
  test('what the server has no room for at first is appended again when it has', async () => {
    const own = await startRedis()
    onTestFinished(() => own.stop())
    const a = await openLog(own.url, freshPrefix())
    const used = /used_memory:(\d+)/.exec(String(await redisCommand(own.url, 'INFO', 'memory')))
    for (let i = 1; i <= 10; i++) {
      const operation = append('k', stampAt(i), 'x'.repeat(300_000))
      await a.append([operation], { fresh: true, hold: ['primary'] })
    }
    await redisCommand(own.url, 'CONFIG', 'SET', 'maxmemory', String(Number(used![1]) + 1_500_000))
    await redisCommand(own.url, 'FLUSHALL')
    // Long enough for several tries.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    expect(await a.pending('primary', 'k')).toHaveLength(10)
    await redisCommand(own.url, 'CONFIG', 'SET', 'maxmemory', '0')
    await isUp(a)
    expect(await a.pending('primary', 'k')).toHaveLength(10)
  })

  test('an append whose reply is lost has an unknown outcome, and its retry is the same entry', async () => {
    const prefix = freshPrefix()
    const proxy = await FaultProxy.open({ port: server.port })
    onTestFinished(() => proxy.close())
    const a = await openLog(`redis://127.0.0.1:${proxy.port}`, prefix)
    const b = await openLog(server.url, prefix)
    const group = [append('k', stampAt(1), 'once')]
    await proxy.set({ kind: 'drop', direction: 'down' })
    const outcome: unknown = await a.append(group, { fresh: true }).catch((error: unknown) => error)
    expect(effectOf(outcome)).toBe('unknown')
    expect(await b.pending('primary', 'k')).toHaveLength(1)
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    await proxy.set({ kind: 'pass' })
    await isUp(a)
    await a.append(group, { fresh: true })
    expect(await b.pending('primary', 'k')).toHaveLength(1)
    const found = new Set<string>()
    await bring(a, 'primary', found)
    expect([...found]).toEqual(['"once"'])
    await eventually(async () => expect(await b.pending('primary', 'k')).toEqual([]))
  })

  test('an entry whose append had no answer and no retry is brought all the same', async () => {
    const prefix = freshPrefix()
    const proxy = await FaultProxy.open({ port: server.port })
    onTestFinished(() => proxy.close())
    const a = await openLog(`redis://127.0.0.1:${proxy.port}`, prefix)
    await proxy.set({ kind: 'drop', direction: 'down' })
    await expect(a.append([append('k', stampAt(1), 'x')], { fresh: true })).rejects.toThrow()
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    await proxy.set({ kind: 'pass' })
    await isUp(a)
    const found = new Set<string>()
    await eventually(async () => {
      await bring(a, 'primary', found)
      expect(found.size).toBe(1)
    })
  })

  test('a stopped server costs one deadline; what went to it is not lost', async () => {
    const own = await startRedis()
    onTestFinished(() => own.stop())
    const a = await openLog(own.url, freshPrefix())
    const lsn = await a.append([append('k', stampAt(1), 'before')], { fresh: true })
    own.pause()
    const outcome: unknown = await a
      .append([append('k', stampAt(2), 'during')], { fresh: true })
      .catch((error: unknown) => error)
    expect(effectOf(outcome)).toBe('unknown')
    await eventually(() => expect(a.stats().state).toBe('failed'))
    // Out of reach: refused at once, and reads have what this process knows.
    const refused: unknown = await a
      .append([append('k', stampAt(3), 'refused')], { fresh: true })
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    expect(await a.pending('primary', 'k')).toHaveLength(1)
    a.acknowledge('primary', [lsn])
    own.resume()
    await isUp(a)
    await eventually(async () => {
      const found = await a.pending('primary', 'k')
      expect(found.map((operation) => 'value' in operation && operation.value)).toEqual([
        '"during"',
      ])
    })
  })

  test('a save of another process is in a read while the primary still lacks it', async () => {
    const { primary, open } = stores()
    const url = streamUrl(server)
    const a = await open(url, { write: 'wal-first' })
    const b = await open(url)
    primary.setMode('refused')
    await a.saveMessage('c', { role: 'user', content: 'from the log' })
    primary.setMode('up')
    expect(await contents(b)).toEqual(['from the log'])
    const conversations = await b.listConversations()
    expect(conversations.conversations).toHaveLength(1)
    expect(await b.countMessages('c')).toBe(1)
  })

  test('processes that write to one conversation at once: none is refused, all see one order', async () => {
    const { open } = stores()
    const url = streamUrl(server)
    const histories = await Promise.all([open(url), open(url), open(url)])
    await Promise.all(
      histories.flatMap((history, h) =>
        Array.from({ length: 40 }, (_, i) =>
          history.saveMessage('c', { role: 'user', content: `${h}.${i}` }),
        ),
      ),
    )
    const seen = await Promise.all(histories.map((history) => contents(history)))
    expect(seen[0]).toHaveLength(120)
    expect(new Set(seen[0]).size).toBe(120)
    expect(seen[1]).toEqual(seen[0])
    expect(seen[2]).toEqual(seen[0])
  })

  test('a save from a slow clock after another process cleared is stamped again, not swallowed', async () => {
    const { primary, backup, open } = stores()
    const url = streamUrl(server)
    const a = await open(url, { write: 'wal-first' })
    const b = await open(url, { write: 'wal-first' })
    await a.saveMessage('c', { role: 'user', content: 'old' })
    const ahead = 60_000
    const real = nodeEnv()
    const fast = await open(url, {
      write: 'wal-first',
      env: { ...real, now: () => real.now() + ahead },
    })
    for (const place of [primary, backup]) place.setMode('refused')
    await fast.clearHistory('c')
    await b.saveMessage('c', { role: 'user', content: 'new' })
    for (const place of [primary, backup]) place.setMode('up')
    await eventually(async () => expect(await contents(a)).toEqual(['new']))
    await b.flush()
    expect(await contents(a)).toEqual(['new'])
  })

  test('while the log is away saves go on with two databases; what one lacks is owed', async () => {
    const { primary, backup, open } = stores()
    const proxy = await FaultProxy.open({ port: server.port })
    onTestFinished(() => proxy.close())
    const history = await open(streamUrl(proxy))
    await history.saveMessage('c', { role: 'user', content: 'with the log' })
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    const receipt = await history.saveMessage('c', { role: 'user', content: 'without' })
    expect(new Set(receipt.copies)).toEqual(new Set(['primary', 'backup']))
    backup.setMode('refused')
    const alone = await history.saveMessage('c', { role: 'user', content: 'one place' })
    expect(alone.copies).toEqual(['primary'])
    expect(await contents(history)).toEqual(['with the log', 'without', 'one place'])
    await proxy.set({ kind: 'pass' })
    await eventually(() => expect(history.status().wal.owedGroups).toBe(0))
    backup.setMode('up')
    await history.flush()
    primary.setMode('refused')
    expect(await contents(history)).toEqual(['with the log', 'without', 'one place'])
  })

  test('with onWalDown=refuse a save is refused while the log is away, without effect', async () => {
    const { open } = stores()
    const proxy = await FaultProxy.open({ port: server.port })
    onTestFinished(() => proxy.close())
    const history = await open(streamUrl(proxy, '&onWalDown=refuse'), {
      write: { type: 'idempotent', config: { maxRetries: 0 } },
    })
    await history.saveMessage('c', { role: 'user', content: 'with the log' })
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    await eventually(() => expect(history.status().wal.state).toBe('failed'))
    const save = history.saveMessage('c', { role: 'user', content: 'refused' })
    await expect(save).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    expect(await contents(history)).toEqual(['with the log'])
    await proxy.set({ kind: 'pass' })
    await eventually(() => expect(history.status().wal.state).toBe('open'))
    await history.saveMessage('c', { role: 'user', content: 'again' })
    expect(await contents(history)).toEqual(['with the log', 'again'])
  })

  test('a log on the server of the primary is not a copy of its own', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'everthread-stream-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const other = await startRedis()
    onTestFinished(() => other.stop())
    const open = async (wal: string): Promise<ChatHistory> => {
      const history = await openChatHistory({
        primary: { type: 'redis', url: server.url, keyPrefix: freshPrefix() },
        backup: { type: 'sqlite', path: join(directory, `${freshPrefix()}.db`.replace(':', '')) },
        wal,
        // A slow primary would be stood in for by the backup, and this is not about that.
        write: { type: 'idempotent', config: { hedge: { enabled: false } } },
      })
      onTestFinished(() => history.close())
      return history
    }
    const same = await open(streamUrl(server))
    const copies = (await same.saveMessage('c', { role: 'user', content: 'x' })).copies
    expect(new Set(copies)).toEqual(new Set(['primary', 'backup']))
    const apart = await open(streamUrl(other))
    expect((await apart.saveMessage('c', { role: 'user', content: 'x' })).copies).toContain('wal')
  })

  test('the status says how durable the settings of the server are', async () => {
    const { open } = stores()
    const safe = await open(streamUrl(server))
    expect(safe.status().wal).toMatchObject({ type: 'redis-stream', durable: true, state: 'open' })
    const everysec = await startRedis({ appendfsync: 'everysec' })
    onTestFinished(() => everysec.stop())
    const status = (await open(streamUrl(everysec))).status().wal
    expect(status.durable).toBe(false)
    expect(status.reasons.join()).toContain('everysec')
  })
})

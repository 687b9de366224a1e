// Goal: records of conversations on every engine and log, made by several processes, through outages in which
// they cannot see each other. Method: stores on common databases, each with a way to them of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { plainAdapter, type ListConversationsOptions } from '../../src/core.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { MapBackend } from '../../src/testing/map-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { postgresUrl } from '../support/postgres-backend.ts'
import { freshPrefix } from '../support/redis-stream-wal.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { replicaEngines } from '../support/replica-engines.ts'

const MESSAGE = { role: 'user', content: 'Hello' } as const

async function listed(
  history: ChatHistory,
  options: ListConversationsOptions = {},
): Promise<string[]> {
  const ids: string[] = []
  let before: string | undefined
  do {
    const page = await history.listConversations({ ...options, ...(before && { before }) })
    ids.push(...page.conversations.map(({ conversationId }) => conversationId))
    before = page.nextCursor
  } while (before !== undefined)
  return ids
}

async function open(options: ChatHistoryOptions): Promise<ChatHistory> {
  const history = await openChatHistory({ wal: 'memory:', ...options })
  onTestFinished(() => history.close())
  return history
}

/** What every engine and log must do with records, told by two stores. */
async function useRecords(one: ChatHistory, two: ChatHistory): Promise<void> {
  const fields = { title: 'Rome', owner: 'ann', metadata: { a: 1, b: 'x' } }
  for (const id of ['a', 'b', 'c', 'd']) await one.createConversation(id, fields)
  const past = '2024-05-01T00:00:00Z'
  await two.createConversation('old', { owner: 'ann', createdAt: past })
  await two.importMessages('old', [{ ...MESSAGE, id: 'm', createdAt: '2024-05-02T00:00:00Z' }])
  for (const id of ['b', 'a', 'b']) await two.saveMessage(id, MESSAGE)
  for (const id of ['c', 'a', 'a']) await one.saveMessage(id, MESSAGE)
  await two.updateConversation('b', { metadata: { a: null, c: true } })
  await one.updateConversation('d', { owner: 'bob' })
  await one.deleteConversation('c')
  await one.createConversation('c', { owner: 'ann' })
  for (const history of [one, two]) {
    for (const limit of [1, 3]) {
      expect(await listed(history, { owner: 'ann', limit })).toEqual(['c', 'a', 'b', 'old'])
      expect(await listed(history, { limit })).toEqual(['c', 'a', 'b', 'd', 'old'])
      expect(await listed(history, { orderBy: 'created', limit })).toEqual([
        'c',
        'd',
        'b',
        'a',
        'old',
      ])
      expect(await listed(history, { owner: 'bob', limit })).toEqual(['d'])
    }
    expect(await history.getConversation('b')).toMatchObject({
      metadata: { b: 'x', c: true },
      messageCount: 2,
      complete: true,
    })
  }
  await Promise.all([one.flush(), two.flush()])
  const report = await one.verify({ deep: true })
  expect(report).toMatchObject({ missingInPrimary: 0, missingInBackup: 0, differing: 0 })
}

describe.each(replicaEngines(postgresUrl))('on $name', ({ open: database }) => {
  test('two stores see the same records and lists', async () => {
    const places = { primary: await database(), backup: await database() }
    const [one, two] = [await open(places), await open(places)]
    await useRecords(one, two)
  })
})

test('on documents of a database of the user', async () => {
  const env = nodeEnv()
  const primary = plainAdapter(new MapBackend(), env)
  const backup = new DurableMemoryBackend(env)
  const one = await open({ primary, backup })
  await useRecords(one, one)
})

describe.each(['wal-first', 'dual-write'] as const)('with %s', (write) => {
  test.each(['failover', 'cache-enhanced'] as const)('and %s', async (read) => {
    const env = nodeEnv()
    const places = { primary: new DurableMemoryBackend(env), backup: new DurableMemoryBackend(env) }
    const cache = read === 'cache-enhanced' ? { cache: 'memory:' as const } : {}
    const one = await open({ ...places, ...cache, write, read })
    await useRecords(one, one)
  })
})

test('with an encrypted backup', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-records-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const keys = `k1:${Buffer.alloc(32, 7).toString('base64')}`
  const places = { primary: `sqlite:${directory}/p.db`, backup: `sqlite:${directory}/b.db` }
  const one = await open({ ...places, wal: `file:${directory}/wal`, encryption: { keys } })
  await useRecords(one, one)
})

describeRedis('with a shared log', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'yes', appendfsync: 'always' })
  })
  afterAll(() => server.stop())

  test('two stores see the same records and lists', async () => {
    const env = nodeEnv()
    const places = { primary: new DurableMemoryBackend(env), backup: new DurableMemoryBackend(env) }
    const wal = { type: 'redis-stream', url: server.url, keyPrefix: freshPrefix() } as const
    const [one, two] = [await open({ ...places, wal }), await open({ ...places, wal })]
    await useRecords(one, two)
  })
})

interface Process {
  readonly history: ChatHistory
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
}

function rig() {
  const env = virtualEnv()
  const databases = {
    primary: new DurableMemoryBackend(env),
    backup: new DurableMemoryBackend(env),
  }
  return {
    env,
    async open(): Promise<Process> {
      const primary = faultyBackend(databases.primary)
      const backup = faultyBackend(databases.backup)
      const options = { env, primary, backup, wal: 'memory:' } as const
      const history = await env.drive(openChatHistory(options))
      onTestFinished(() => env.drive(history.close()))
      return { history, primary, backup }
    },
  }
}

/** One process reaches the primary alone, the other one the backup alone. */
function part(one: Process, two: Process): void {
  one.backup.setMode('refused')
  two.primary.setMode('refused')
}

async function heal(one: Process, two: Process, env: VirtualEnv) {
  const drive = <T>(work: Promise<T>): Promise<T> => env.drive(work)
  one.backup.setMode('up')
  two.primary.setMode('up')
  await drive(Promise.all([one.history.flush(), two.history.flush()]))
  await drive(one.history.reconcile({ scope: 'full' }))
  // Circuits close, and the hints of the outage are gone.
  await env.advance(5_000)
}

test('fields that two processes changed apart are all there, and of one field the later change', async () => {
  const { env, open: process } = rig()
  const [one, two] = [await process(), await process()]
  const drive = <T>(work: Promise<T>): Promise<T> => env.drive(work)
  await drive(one.history.createConversation('c', { title: 'Rome', metadata: { both: 0 } }))
  await drive(one.history.flush())
  part(one, two)
  await drive(one.history.updateConversation('c', { title: 'Paris', metadata: { both: 1 } }))
  await env.advance(10)
  await drive(two.history.updateConversation('c', { owner: 'ann', metadata: { both: 2, own: 3 } }))
  await heal(one, two, env)
  for (const { history } of [one, two]) {
    expect(await drive(history.getConversation('c'))).toMatchObject({
      title: 'Paris',
      owner: 'ann',
      metadata: { both: 2, own: 3 },
      complete: true,
    })
    expect(await drive(listed(history, { owner: 'ann' }))).toEqual(['c'])
  }
})

test('of two owners, and two creates, that were apart the later one has the conversation once', async () => {
  const { env, open: process } = rig()
  const [one, two] = [await process(), await process()]
  const drive = <T>(work: Promise<T>): Promise<T> => env.drive(work)
  await drive(one.history.createConversation('moved', { owner: 'ann' }))
  await drive(one.history.flush())
  part(one, two)
  await drive(one.history.updateConversation('moved', { owner: 'bob' }))
  await drive(one.history.createConversation('made', { owner: 'bob', title: 'first' }))
  await env.advance(10)
  await drive(two.history.updateConversation('moved', { owner: 'zoe' }))
  await drive(two.history.createConversation('made', { owner: 'zoe', title: 'second' }))
  await heal(one, two, env)
  for (const { history } of [one, two]) {
    expect(await drive(listed(history, { owner: 'ann' }))).toEqual([])
    expect(await drive(listed(history, { owner: 'bob' }))).toEqual([])
    expect(await drive(listed(history, { owner: 'zoe' }))).toEqual(['made', 'moved'])
    expect(await drive(listed(history))).toEqual(['made', 'moved'])
    expect(await drive(listed(history, { orderBy: 'created' }))).toEqual(['made', 'moved'])
    expect(await drive(history.getConversation('made'))).toMatchObject({ title: 'second' })
  }
})

test('records are made, changed and listed while the primary is out, and are there when it is back', async () => {
  const { env, open: process } = rig()
  const [one, two] = [await process(), await process()]
  const drive = <T>(work: Promise<T>): Promise<T> => env.drive(work)
  await drive(one.history.createConversation('before', { owner: 'ann' }))
  await drive(one.history.flush())
  one.primary.setMode('refused')
  two.primary.setMode('refused')
  await drive(one.history.createConversation('c', { owner: 'ann' }))
  await drive(one.history.saveMessage('before', MESSAGE))
  await drive(one.history.deleteConversation('gone'))
  expect(await drive(listed(one.history, { owner: 'ann' }))).toEqual(['before', 'c'])
  one.primary.setMode('up')
  two.primary.setMode('up')
  await drive(one.history.flush())
  expect(await drive(listed(two.history, { owner: 'ann' }))).toEqual(['before', 'c'])
})

test('a save is acknowledged while no database answers, and the tenant has records', async () => {
  const { env, open: process } = rig()
  const one = await process()
  await env.drive(one.history.createConversation('c', { owner: 'ann' }))
  await env.drive(one.history.flush())
  one.primary.setMode('hung')
  one.backup.setMode('refused')
  // It waits for what it would move for a second at most, beside its own hedge and attempt.
  const startMs = env.monotonic()
  await env.drive(one.history.saveMessage('c', MESSAGE).catch(() => {}))
  expect(env.monotonic() - startMs).toBeLessThan(20_000)
  one.primary.setMode('up')
  one.backup.setMode('up')
})

test('a tenant without records costs its saves one look in five seconds', async () => {
  const { env, open: process } = rig()
  const one = await process()
  await env.drive(one.history.saveMessage('c', MESSAGE))
  const before = one.primary.calls.get('readItems') ?? 0
  for (let i = 0; i < 20; i++) await env.drive(one.history.saveMessage(`c${i}`, MESSAGE))
  expect(one.primary.calls.get('readItems')).toBe(before)
  await env.advance(5_000)
  await env.drive(one.history.saveMessage('c', MESSAGE))
  expect(one.primary.calls.get('readItems')).toBe(before + 1)
})

test('of a conversation that is written to again and again nothing is moved', async () => {
  const { env, open: process } = rig()
  const one = await process()
  await env.drive(one.history.createConversation('c', { owner: 'ann' }))
  await env.drive(one.history.createConversation('d', { owner: 'ann' }))
  await env.drive(one.history.saveMessage('c', MESSAGE))
  const before = one.primary.calls.get('apply')!
  for (let i = 0; i < 10; i++) await env.drive(one.history.saveMessage('c', MESSAGE))
  expect(one.primary.calls.get('apply')).toBe(before + 10)
  await env.drive(one.history.saveMessage('d', MESSAGE))
  expect(one.primary.calls.get('apply')).toBe(before + 12)
})

test('conversations that are imported side by side begin in the order of the calls', async () => {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const history = await open({ primary, backup })
  // The later ones are answered first.
  for (const place of [primary, backup]) {
    let waitMs = 160
    place.onCall(async (call) => {
      if (call !== 'readItems') return
      const ms = (waitMs -= 8)
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
    })
  }
  const ids = Array.from({ length: 16 }, (_, i) => `c${15 - i}`)
  const receipts = await Promise.all(
    ids.map((id) => history.importMessages(id, [MESSAGE, { ...MESSAGE, content: 'again' }])),
  )
  const positions = receipts.map(([first]) => first!.position)
  expect(positions).toEqual(positions.toSorted())
  expect(new Set(positions).size).toBe(positions.length)
  for (const [first, second] of receipts) expect(first!.position < second!.position).toBe(true)
})

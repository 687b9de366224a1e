// Goal: Mastra's memory keeps what it promises on PostgreSQL and Redis, and while servers are killed and restarted.
// Method: the suite of src/adapters/mastra.test.ts on both; then a primary is killed with and without a backup.
// MASTRA_THREADS=500 makes a longer list of threads.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { EverthreadMemory } from '../../src/adapters/mastra.ts'
import type { ChatHistory } from '../../src/chat/chat-history.ts'
import { openChatHistory, type ChatHistoryOptions } from '../../src/chat/open-chat-history.ts'
import { idsOf, mastraSuite, messageOf, threadOf } from '../support/mastra-suite.ts'
import { describePostgres, freshDatabase } from '../support/postgres-backend.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

vi.mock('@mastra/core/storage', async () => await import('../support/mastra-storage.ts'))

const THREADS = Number(process.env['MASTRA_THREADS'] ?? 45)
const memoryOf = (history: ChatHistory): EverthreadMemory => new EverthreadMemory(history)

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'everthread-mastra-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function opened(options: ChatHistoryOptions): Promise<ChatHistory> {
  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  return history
}

describePostgres('Mastra on PostgreSQL', () => {
  mastraSuite(
    async () =>
      openChatHistory({ primary: await freshDatabase(), backup: 'memory:', wal: 'memory:' }),
    memoryOf,
    THREADS,
  )

  test('history is answered and saved while the primary is killed, and meets afterwards', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const path = folder()
    const history = await opened({
      primary: server.url,
      backup: `sqlite:${join(path, 'backup.db')}`,
      wal: `file:${join(path, 'wal')}`,
    })
    const memory = memoryOf(history)
    await memory.saveThread({ thread: threadOf('t1', { title: 'Before' }) })
    const messages = Array.from({ length: 30 }, (_, i) => messageOf(`m${i}`, 't1', i))
    await memory.saveMessages({ messages })
    await memory.updateResource({ resourceId: 'ann', workingMemory: 'likes tea' })
    await history.store.flushWAL()

    await server.kill()
    const all = { threadId: 't1', perPage: false } as const
    expect(idsOf(await memory.listMessages(all))).toEqual(idsOf({ messages }))
    expect(await memory.getThreadById({ threadId: 't1' })).toMatchObject({ title: 'Before' })
    expect((await memory.listThreads({ filter: { resourceId: 'ann' } })).total).toBe(1)
    expect(await memory.getResourceById({ resourceId: 'ann' })).toMatchObject({
      workingMemory: 'likes tea',
    })
    await memory.saveMessages({ messages: [messageOf('during', 't1', 40)] })
    await memory.updateThread({ id: 't1', title: 'During', metadata: { seen: true } })
    expect(await memory.listMessagesById({ messageIds: ['m3', 'during'] })).toMatchObject({
      messages: [{ id: 'm3' }, { id: 'during' }],
    })

    // A process whose backup has nothing yet must not say that there is nothing.
    const other = await opened({
      primary: server.url,
      backup: `sqlite:${join(path, 'other.db')}`,
      wal: `file:${join(path, 'other-wal')}`,
      allowDegradedStart: true,
    })
    const blind = memoryOf(other)
    const reads = [
      () => blind.getThreadById({ threadId: 't1' }),
      () => blind.listMessages({ threadId: 't1' }),
      () => blind.listMessagesById({ messageIds: ['m0'] }),
      () => blind.deleteMessages(['m0']),
      () => blind.listThreads({ filter: { resourceId: 'ann' } }),
    ]
    for (const read of reads) {
      await expect(read()).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    }
    await other.close()

    await server.restart()
    await expect.poll(() => history.store.status().places.primary.pending).toBe(0)
    await memory.saveMessages({ messages: [messageOf('after', 't1', 50)] })
    const wanted = [...idsOf({ messages }), 'during', 'after']
    expect(idsOf(await memory.listMessages(all))).toEqual(wanted)
    const thread = await memory.getThreadById({ threadId: 't1' })
    expect(thread).toMatchObject({ title: 'During', metadata: { seen: true } })
  })

  test('without a place that answers every call is an error, and its repeat saves once (mastra#18256)', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const history = await opened({
      primary: { type: 'postgresql', url: server.url, schema: 'one' },
      backup: { type: 'postgresql', url: server.url, schema: 'two' },
      wal: `file:${join(folder(), 'wal')}`,
    })
    const memory = memoryOf(history)
    await memory.saveThread({ thread: threadOf('t1') })
    await memory.saveMessages({ messages: [messageOf('m0', 't1', 0)] })

    await server.kill()
    const batch = { messages: [messageOf('m1', 't1', 1), messageOf('m2', 't1', 2)] }
    const calls = [
      () => memory.saveMessages(batch),
      () => memory.listMessages({ threadId: 't1' }),
      () => memory.listMessages({ threadId: 'none' }),
      () => memory.listMessagesById({ messageIds: ['m0'] }),
      () => memory.getThreadById({ threadId: 't1' }),
      () => memory.getThreadById({ threadId: 'none' }),
      () => memory.listThreads({}),
      () => memory.getResourceById({ resourceId: 'ann' }),
      () => memory.deleteThread({ threadId: 't1' }),
    ]
    for (const call of calls) {
      const error: unknown = await call().then(
        (answer) => answer,
        (reason: unknown) => reason,
      )
      expect(error).toMatchObject({
        code: expect.stringMatching(/^(UNAVAILABLE|TIMEOUT)$/),
        effect: expect.stringMatching(/^(none|unknown)$/),
      })
    }

    await server.restart()
    await vi.waitFor(() => memory.saveMessages(batch), { timeout: 30_000, interval: 200 })
    await memory.saveMessages(batch)
    expect(idsOf(await memory.listMessages({ threadId: 't1' }))).toEqual(['m0', 'm1', 'm2'])
  })
})

describeRedis('Mastra on Redis', () => {
  test('new threads begin while the backup is out', async () => {
    const backup = await startRedis()
    onTestFinished(() => backup.stop())
    const path = folder()
    const history = await opened({
      primary: `sqlite:${join(path, 'primary.db')}`,
      backup: backup.url,
      wal: `file:${join(path, 'wal')}`,
    })
    const memory = memoryOf(history)
    await backup.kill()
    expect(await memory.getThreadById({ threadId: 't1' })).toBeNull()
    expect(await memory.listMessages({ threadId: 't1' })).toMatchObject({ messages: [], total: 0 })
    expect(await memory.listThreads({})).toMatchObject({ threads: [], total: 0 })
    await memory.saveThread({ thread: threadOf('t1') })
    await memory.saveMessages({ messages: [messageOf('m1', 't1', 1)] })
    expect(idsOf(await memory.listMessages({ threadId: 't1' }))).toEqual(['m1'])
  })

  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())
  mastraSuite(
    () => openChatHistory({ primary: redis.url, backup: 'memory:', wal: 'memory:' }),
    memoryOf,
    THREADS,
  )
})

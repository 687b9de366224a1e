// Goal: with a shared log, and no database in reach, a repeat is not acknowledged for what another process
// may have cleared. Method: two processes, databases in memory, a real Redis server for the log.
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory, type NewMessage } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix } from '../support/redis-stream-wal.ts'

const message = (id: string): NewMessage => ({ id, role: 'user', content: id })

describeRedis('an id that another process cleared in both databases', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  // Found by the simulation (1220225).
  test('is not acknowledged where it stood, by a process that reaches the log alone', async () => {
    const databases = { primary: new DurableMemoryBackend(), backup: new DurableMemoryBackend() }
    const wal = { type: 'redis-stream', url: server.url, keyPrefix: freshPrefix() } as const
    const open = async (places: typeof databases): Promise<ChatHistory> => {
      const history = await openChatHistory({ ...places, wal, reconcile: false })
      onTestFinished(() => history.close())
      return history
    }
    const primary = faultyBackend(databases.primary)
    const backup = faultyBackend(databases.backup)
    const one = await open({ primary, backup } as unknown as typeof databases)
    const two = await open(databases)
    await one.saveMessage('c', message('m1'))
    // Nothing that it does tells it of the clear.
    await one.flush()
    primary.setMode('refused')
    backup.setMode('refused')
    await two.clearHistory('c')
    // And nothing is left in the log.
    await two.flush()
    await two.close()
    const again = one.saveMessage('c', message('m1'))
    await expect(again).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    expect((await one.saveMessage('c', message('m2'))).copies).toEqual(['wal'])
    primary.setMode('up')
    backup.setMode('up')
    await one.flush()
    expect((await one.saveMessage('c', message('m1'))).copies.length).toBeGreaterThan(1)
    const shown = (await one.getHistory('c')).messages
    expect(shown.map(({ id }) => id)).toEqual(['m2', 'm1'])
  })
})

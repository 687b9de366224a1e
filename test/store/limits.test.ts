import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

test('a log that is full of what a place lacks refuses saves before any effect, and drops nothing', async () => {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const history = await openChatHistory({
    primary,
    backup,
    wal: {
      type: 'file',
      filePath: await scratch(),
      maxFileSize: 64 * 1024,
      maxPendingBytes: 128 * 1024,
    },
  })
  onTestFinished(() => history.close())
  backup.setMode('refused')
  const saved: string[] = []
  const content = 'x'.repeat(8 * 1024)
  for (let i = 0; i < 50; i++) {
    try {
      saved.push((await history.saveMessage('c', { role: 'user', content })).id)
    } catch (error) {
      expect(error).toMatchObject({ code: 'OVERLOADED', effect: 'none', place: 'wal' })
      break
    }
  }
  expect(saved.length).toBeGreaterThan(10)
  expect(saved.length).toBeLessThan(50)
  const calls = primary.calls.get('apply')
  await expect(history.saveMessage('c', { role: 'user', content })).rejects.toMatchObject({
    code: 'OVERLOADED',
  })
  expect(primary.calls.get('apply')).toBe(calls)
  backup.setMode('up')
  await history.flush()
  await history.saveMessage('c', { role: 'user', content: 'again' })
  await history.flush()
  for (const place of [primary, backup]) {
    expect(await place.countItems('chat/0::c')).toMatchObject({ count: saved.length + 1 })
  }
})

test('minCopies counts a durable place that was never reached as one that is missing', async () => {
  const backup = faultyBackend(new DurableMemoryBackend())
  backup.setMode('refused')
  const history = await openChatHistory({
    primary: new DurableMemoryBackend(),
    backup,
    wal: 'memory:',
    write: { type: 'idempotent', config: { minCopies: 2, maxRetries: 0, timeout: 500 } },
    connectTimeout: 100,
    drainTimeout: 100,
  })
  onTestFinished(() => history.close())
  await expect(history.saveMessage('c', { role: 'user', content: 'x' })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    effect: 'unknown',
  })
})

test('wal-first with a log in memory waits for a database: the log alone is not durable', async () => {
  const history = await openChatHistory({
    primary: new DurableMemoryBackend(),
    backup: new DurableMemoryBackend(),
    wal: 'memory:',
    write: 'wal-first',
  })
  onTestFinished(() => history.close())
  const receipt = await history.saveMessage('c', { role: 'user', content: 'x' })
  expect(receipt.durable).toBe(true)
  expect(receipt.copies).toContain('primary')
})

test.each([
  [
    { primary: 'memory:', backup: 'memory:', wall: 'memory:' },
    /^wall is not known; did you mean wal\?/,
  ],
  [{ primary: 'nonsense' }, /primary/],
  [{ wal: 'nonsense' }, /wal/],
  [{ write: 'twice' }, /write\.type must be idempotent, wal-first or dual-write, got "twice"/],
  [
    { write: { type: 'idempotent', config: { timeOut: 1 } } },
    /write\.config\.timeOut is not known/,
  ],
  [{ write: { type: 'idempotent', config: { timeout: 0 } } }, /write\.config\.timeout .* got 0/],
  [
    { read: { type: 'failover', config: { maxRetries: -1 } } },
    /read\.config\.maxRetries .* got -1/,
  ],
  [
    { health: { type: 'simple', config: { failureThreshold: 1 } } },
    /health\.config\.failureThreshold/,
  ],
  [{ wal: { type: 'file', filePath: 'x', maxFilesize: 1 } }, /wal\.maxFilesize is not known/],
  [{ tenant: 'a\0b' }, /tenant must not contain NUL/],
] as [ChatHistoryOptions, RegExp][])(
  'a wrong option is refused and named: %o',
  async (options, message) => {
    await expect(
      openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:', ...options }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) })
  },
)

test('what JSON cannot give back is refused before any effect, naming the path', async () => {
  const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  onTestFinished(() => history.close())
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  for (const [metadata, message] of [
    [{ a: () => 1 }, 'message.metadata.a must be JSON, got function'],
    [{ a: [undefined] }, 'message.metadata.a[0] must be JSON, got undefined'],
    [{ a: Number.NaN }, 'message.metadata.a must be finite, got NaN'],
    [{ a: new Map() }, 'message.metadata.a must be JSON, got Map'],
    [{ a: 1n }, 'message.metadata.a must be JSON, got bigint'],
  ] as [Record<string, unknown>, string][]) {
    await expect(
      history.saveMessage('c', { role: 'user', content: '', metadata }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message })
  }
  await expect(
    history.saveMessage('c', { role: 'user', content: '', metadata: cyclic }),
  ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(history.saveMessage('', { role: 'user', content: '' })).rejects.toMatchObject({
    message: 'conversationId must not be empty',
  })
  await expect(
    history.saveMessage('c', { role: 'robot' as never, content: '' }),
  ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await history.countMessages('c')).toBe(0)
})

test('a log in memory that has all its entries says so', async () => {
  const backup = faultyBackend(new DurableMemoryBackend())
  const history = await openChatHistory({
    primary: new DurableMemoryBackend(),
    backup,
    wal: { type: 'in-memory', maxEntries: 3 },
    drainTimeout: 100,
  })
  onTestFinished(() => history.close())
  backup.setMode('refused')
  for (let i = 0; i < 3; i++) await history.saveMessage('c', { role: 'user', content: `${i}` })
  const error = await history.saveMessage('c', { role: 'user', content: 'x' }).catch((e) => e)
  expect(error).toMatchObject({ code: 'OVERLOADED', effect: 'none' })
  expect((error as Error).message).toContain('limit 3 entries or')
})

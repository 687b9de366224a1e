// Goal: each row of the failure table (DESIGN 13) holds for every write strategy.
// Method: two databases in memory behind switchable faults, and a log in memory or on disk.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  openChatHistory,
  type ChatHistory,
  type ChatHistoryOptions,
  type Receipt,
} from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

interface Rig {
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  readonly history: ChatHistory
  open(options?: ChatHistoryOptions): Promise<ChatHistory>
}

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function rig(options: ChatHistoryOptions = {}): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  cleanups.push(() => rm(directory, { recursive: true, force: true }))
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const open = async (more: ChatHistoryOptions = {}): Promise<ChatHistory> => {
    const history = await openChatHistory({
      primary,
      backup,
      wal: `file:${directory}`,
      drainTimeout: 500,
      // Outages end at once here, so circuits need not wait for servers to start.
      health: {
        type: 'circuit-breaker',
        config: { circuitOpenDuration: 50, healthCheckInterval: 20 },
      },
      ...options,
      ...more,
    })
    cleanups.push(() => history.close())
    return history
  }
  return { primary, backup, open, history: await open() }
}

const TEXTS = Array.from({ length: 20 }, (_, i) => `message ${i}`)

async function save(history: ChatHistory, texts: readonly string[]): Promise<Receipt[]> {
  const receipts: Receipt[] = []
  for (const content of texts)
    receipts.push(await history.saveMessage('c', { role: 'user', content }))
  return receipts
}

async function texts(history: ChatHistory): Promise<unknown[]> {
  const seen: unknown[] = []
  for await (const { content } of history.messages('c')) seen.push(content)
  return seen
}

async function textsAt(backend: FaultyBackend): Promise<unknown[]> {
  const page = await backend.readItems({ key: 'chat/0::c', limit: 1000, order: 'oldest' })
  return page.items.map(
    (item) => (JSON.parse((item.edited ?? item.appended)!) as { content: unknown }).content,
  )
}

describe.each(['idempotent', 'wal-first', 'dual-write'] as const)('%s', (write) => {
  test.each(['refused', 'hung', 'reply-lost', 'reset'] as const)(
    'a primary that is %s: saves and reads go on, and afterwards both hold the same',
    async (mode) => {
      const { history, primary, backup } = await rig({ write })
      await save(history, TEXTS.slice(0, 5))
      primary.setMode(mode)
      const receipts = await save(history, TEXTS.slice(5, 15))
      expect(receipts.every(({ durable }) => durable)).toBe(true)
      expect(await texts(history)).toEqual(TEXTS.slice(0, 15))
      primary.setMode('up')
      await save(history, TEXTS.slice(15))
      expect(await texts(history)).toEqual(TEXTS)
      await history.flush()
      expect(await textsAt(primary)).toEqual(TEXTS)
      expect(await textsAt(backup)).toEqual(TEXTS)
    },
  )

  test('a backup that is out for long is not noticed by saves and reads, and catches up', async () => {
    const { history, primary, backup } = await rig({ write })
    backup.setMode('hung')
    await save(history, TEXTS)
    expect(await texts(history)).toEqual(TEXTS)
    expect(history.status().places.backup.pending).toBe(TEXTS.length)
    backup.setMode('up')
    await history.flush()
    expect(await textsAt(backup)).toEqual(TEXTS)
    expect(await textsAt(primary)).toEqual(TEXTS)
    expect(history.status().places.backup.pending).toBe(0)
  })

  test('with both databases out, saves go on with the log and reads say that they cannot', async () => {
    const { history, primary, backup } = await rig({ write })
    await save(history, TEXTS.slice(0, 3))
    primary.setMode('refused')
    backup.setMode('refused')
    const receipts = await save(history, TEXTS.slice(3))
    expect(receipts.at(-1)!.copies).toEqual(['wal'])
    await expect(history.getHistory('c')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    primary.setMode('up')
    backup.setMode('up')
    await history.flush()
    expect(await texts(history)).toEqual(TEXTS)
    expect(await textsAt(backup)).toEqual(TEXTS)
  })

  test('a clear while the backup is out is complete when it is back: nothing returns', async () => {
    const { history, primary, backup } = await rig({ write })
    await save(history, TEXTS.slice(0, 5))
    await history.flush()
    backup.setMode('refused')
    const { clear } = await history.clearHistory('c')
    expect(clear).toEqual(['primary'])
    await save(history, TEXTS.slice(5, 7))
    backup.setMode('up')
    await history.flush()
    for (const place of [primary, backup]) expect(await textsAt(place)).toEqual(TEXTS.slice(5, 7))
    expect(await texts(history)).toEqual(TEXTS.slice(5, 7))
  })

  test('a clear while the primary is out is honoured by the primary when it is back', async () => {
    const { history, primary, backup } = await rig({ write })
    await save(history, TEXTS.slice(0, 5))
    primary.setMode('refused')
    await history.clearHistory('c')
    expect(await texts(history)).toEqual([])
    primary.setMode('up')
    await vi.waitFor(async () => expect(await texts(history)).toEqual([]))
    await history.flush()
    for (const place of [primary, backup]) expect(await textsAt(place)).toEqual([])
  })

  test('the same id saved again while the primary is out, and after it is back, is one message', async () => {
    const { history, primary, backup } = await rig({ write })
    const message = { id: 'mine', role: 'user', content: 'once' } as const
    primary.setMode('hung')
    const first = await history.saveMessage('c', message)
    const second = await history.saveMessage('c', message)
    primary.setMode('up')
    const third = await history.saveMessage('c', message)
    expect([second.position, third.position]).toEqual([first.position, first.position])
    await history.flush()
    for (const place of [primary, backup]) expect(await textsAt(place)).toEqual(['once'])
  })

  test('a message that was saved only to the log is there after a restart', async () => {
    const { history, primary, backup, open } = await rig({ write })
    await save(history, TEXTS.slice(0, 2))
    primary.setMode('refused')
    backup.setMode('refused')
    await save(history, TEXTS.slice(2, 6))
    await history.close()
    primary.setMode('up')
    backup.setMode('up')
    const restarted = await open()
    await restarted.flush()
    expect(await texts(restarted)).toEqual(TEXTS.slice(0, 6))
    for (const place of [primary, backup]) expect(await textsAt(place)).toEqual(TEXTS.slice(0, 6))
  })

  test('edits and removals during an outage hold on both sides afterwards', async () => {
    const { history, primary, backup } = await rig({ write })
    const receipts = await save(history, TEXTS.slice(0, 3))
    await history.flush()
    primary.setMode('refused')
    await history.updateMessage('c', receipts[0]!.id, { role: 'user', content: 'edited' })
    await history.deleteMessage('c', receipts[1]!.id)
    expect(await texts(history)).toEqual(['edited', TEXTS[2]])
    primary.setMode('up')
    await history.flush()
    for (const place of [primary, backup]) {
      expect(await textsAt(place)).toEqual(['edited', TEXTS[2]])
    }
  })

  test('a poisonous entry is set aside and the rest flows', async () => {
    const { history, backup } = await rig({ write })
    const { StorageError } = await import('../../src/index.ts')
    const inner = backup.apply.bind(backup)
    vi.spyOn(backup, 'apply')
    const reject = (operations: readonly { readonly key: string; value?: string }[]): boolean =>
      operations.some(({ value }) => value?.includes('poison') === true)
    const poisoned = new Proxy(backup, {
      get: (target, name: string) =>
        name === 'apply'
          ? async (...args: Parameters<typeof inner>) => {
              if (reject(args[0] as never)) throw new StorageError('REJECTED', 'value refused')
              return await inner(...args)
            }
          : (Reflect.get(target, name) as unknown),
    })
    await history.close()
    if (write === 'dual-write') return
    const other = await rig({ write, backup: poisoned })
    await save(other.history, ['good 1', 'poison', 'good 2'])
    await other.history.flush()
    expect(await textsAt(backup)).toEqual(['good 1', 'good 2'])
    expect(other.history.status().places.backup.quarantined).toBe(1)
    expect(other.history.status().overall).toBe('degraded')
    expect(await texts(other.history)).toEqual(['good 1', 'poison', 'good 2'])
    other.primary.setMode('refused')
    expect(await texts(other.history)).toEqual(['good 1', 'poison', 'good 2'])
  })
})

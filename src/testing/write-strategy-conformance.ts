import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ChatHistory } from '../chat/chat-history.ts'
import type { Receipt } from '../chat/message.ts'
import { openChatHistory, type ChatHistoryOptions } from '../chat/open-chat-history.ts'
import { StorageError } from '../core/errors.ts'
import type { WriteChoice } from '../strategy/strategy-factory.ts'
import { DurableMemoryBackend } from './durable-memory-backend.ts'
import { eventually } from './eventually.ts'
import { faultyBackend, type FaultyBackend } from './faulty-backend.ts'

export interface WriteStrategyConformanceOptions {
  readonly name: string
  readonly write: WriteChoice
}

interface Rig {
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  readonly history: ChatHistory
  open(options?: ChatHistoryOptions): Promise<ChatHistory>
}

async function rig(options: ChatHistoryOptions = {}): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
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
    onTestFinished(() => history.close())
    return history
  }
  return { primary, backup, open, history: await open() }
}

const TEXTS = Array.from({ length: 20 }, (_, i) => `message ${i}`)

async function save(history: ChatHistory, texts: readonly string[]): Promise<Receipt[]> {
  const receipts: Receipt[] = []
  for (const content of texts) {
    receipts.push(await history.saveMessage('c', { role: 'user', content }))
  }
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

/**
 * What every write strategy promises: each row of the failure table holds, with two databases in
 * memory behind switchable faults, and a log on disk.
 */
export function writeStrategyConformance({ name, write }: WriteStrategyConformanceOptions): void {
  describe(`${name}: WritePort contract`, () => {
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
      await eventually(async () => expect(await texts(history)).toEqual([]))
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

    test.each(['up', 'hung', 'refused'] as const)(
      'ids that stand keep their places when new ones are saved with them, the primary %s',
      async (mode) => {
        const { history, primary, backup } = await rig({ write })
        const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(
          (id) => ({ id, role: 'user', content: id }) as const,
        )
        const first = await history.saveMessages('c', [a!, b!])
        await history.saveMessage('c', d!)
        await history.flush()
        primary.setMode(mode)
        const second = await history.saveMessages('c', [a!, b!, c!])
        expect(second.slice(0, 2).map(({ position }) => position)).toEqual(
          first.map(({ position }) => position),
        )
        primary.setMode('up')
        await history.flush()
        expect(await texts(history)).toEqual(['a', 'b', 'd', 'c'])
        for (const place of [primary, backup])
          expect(await textsAt(place)).toEqual(['a', 'b', 'd', 'c'])
      },
    )

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

    test('an entry that one database refuses for good is set aside and the rest flows', async () => {
      const inner = new DurableMemoryBackend()
      const picky = faultyBackend(refusing(inner, 'poison'))
      const { history, primary } = await rig({ write, backup: picky })
      await save(history, ['good 1', 'poison', 'good 2'])
      await history.flush()
      expect(await textsAt(picky)).toEqual(['good 1', 'good 2'])
      expect(history.status()).toMatchObject({
        overall: 'degraded',
        places: { backup: { quarantined: 1 }, primary: { quarantined: 0 } },
      })
      // It is still read, also from the place that refused it.
      expect(await texts(history)).toEqual(['good 1', 'poison', 'good 2'])
      primary.setMode('refused')
      expect(await texts(history)).toEqual(['good 1', 'poison', 'good 2'])
    })
  })
}

/** A database that can never store values with this text. */
function refusing(inner: DurableMemoryBackend, text: string): DurableMemoryBackend {
  const apply = inner.apply.bind(inner)
  inner.apply = async (operations, options) => {
    if (operations.some((operation) => 'value' in operation && operation.value.includes(text))) {
      throw new StorageError('REJECTED', 'value refused')
    }
    return await apply(operations, options)
  }
  return inner
}

// Goal: a follower of a conversation is told of every change, whoever makes it and however late it arrives.
// Method: stores on the same databases, with clocks that differ; what the follower was told is compared with
// what was acknowledged.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { conversationKey } from '../../src/chat/keys.ts'
import { firstStampOf } from '../../src/chat/changes/latest-keys.ts'
import type { JsonText } from '../../src/core/json.ts'
import type { DatabasePlace } from '../../src/core/places.ts'
import type { Operation } from '../../src/core/operation.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Env } from '../../src/core/env.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import type { ChangeEvent, SubscribeOptions } from '../../src/chat/changes/change.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'

/** The list of the messages of `c`. */
const MESSAGES = conversationKey('', 'c')

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-changes-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A clock that is off by this much. */
function skewed(ms: number): Env {
  const env = nodeEnv()
  return Object.create(env, { now: { value: () => env.now() + ms } }) as Env
}

async function open(directory: string, options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  const history = await openChatHistory({
    primary: `sqlite:${join(directory, 'primary.db')}`,
    backup: `sqlite:${join(directory, 'backup.db')}`,
    wal: `file:${join(directory, 'wal')}`,
    logger: false,
    drainTimeout: 500,
    ...options,
  })
  onTestFinished(() => history.close())
  return history
}

/** Puts messages with an old position into both databases, as the replay of a log does. */
async function arrive(
  history: ChatHistory,
  ids: readonly string[],
  fromMs: number,
  places: readonly DatabasePlace[] = ['primary', 'backup'],
): Promise<void> {
  const operations = ids.map((id, i): Operation => {
    const time = firstStampOf(fromMs + i * 1_000).slice(0, 13)
    const position = `${time}-7000-8000-${randomBytes(6).toString('hex')}` as Stamp
    const value = JSON.stringify(say(id)) as JsonText
    return { kind: 'put', change: 'append', key: MESSAGES, id, position, stamp: position, value }
  })
  const managers = history.store.getStorageManagers()
  for (const place of places) await managers[place].getHandles().database.apply(operations)
}

interface Told {
  readonly changes: ChangeEvent[]
  readonly ids: () => string[]
  readonly positions: () => string[]
  readonly stop: () => void
}

/** Takes all changes, until the end of the test. */
async function follow(history: ChatHistory, options: SubscribeOptions): Promise<Told> {
  const changes: ChangeEvent[] = []
  const followed = history.subscribe(options)
  onTestFinished(() => followed.close())
  void (async () => {
    for await (const change of followed) changes.push(change)
  })()
  await eventually(() => expect(changes.map(({ type }) => type)).toContain('ready'))
  return {
    changes,
    ids: () => changes.flatMap((each) => (each.type === 'message' ? [each.message.id] : [])),
    positions: () => changes.flatMap((each) => (each.type === 'message' ? [each.position] : [])),
    stop: () => followed.close(),
  }
}

const say = (content: string, id?: string) =>
  ({ role: 'user', content, ...(id && { id }) }) as const

describe('one process', () => {
  test('is told of saves, updates, removals and clears', async () => {
    const history = await open(await scratch())
    await history.saveMessage('c', say('before'))
    const told = await follow(history, { conversationId: 'c' })
    const { id } = await history.saveMessage('c', say('one'))
    await history.saveMessage('c', say('two', 'two'))
    await history.updateMessage('c', id, say('one!'))
    await eventually(() => expect(told.changes.at(-1)?.type).toBe('updated'))
    await history.deleteMessage('c', 'two')
    await eventually(() => expect(told.changes.at(-1)?.type).toBe('removed'))
    await history.clearHistory('c')
    await eventually(() => expect(told.changes.at(-1)?.type).toBe('cleared'))
    await history.saveMessage('c', say('three', 'two'))
    await eventually(() => expect(told.changes.at(-1)?.type).toBe('message'))
    expect(told.changes.map(({ type }) => type)).toEqual([
      'ready',
      'message',
      'message',
      'updated',
      'removed',
      'cleared',
      'message',
    ])
  })
})

test('own writes need no look', async () => {
  const history = await open(await scratch())
  const changes = history.subscribe({ conversationId: 'c', pollInterval: 60_000 })
  onTestFinished(() => changes.close())
  await changes.next()
  const looked: string[] = []
  const { store } = history
  const { readItems } = store
  // A save may read of other keys: whether the conversation has a record.
  store.readItems = async (query) => (looked.push(query.key), await readItems.call(store, query))
  const { id } = await history.saveMessage('c', say('one'))
  const next = changes.next()
  expect(await Promise.race([next, sleep(50, 'late')])).toMatchObject({
    value: { message: { id } },
  })
  expect(looked).not.toContain(MESSAGES)
  // So would a look have been seen.
  await history.getHistory('c', { limit: 1 })
  expect(looked).toContain(MESSAGES)
})

test('two writers with 2 s of skew: nobody is missed', async () => {
  const directory = await scratch()
  const follower = await open(directory)
  const a = await open(directory)
  const b = await open(directory, { env: skewed(-2_000) })
  const told = await follow(follower, { conversationId: 'c' })
  const saved: string[] = []
  const write = async (history: ChatHistory): Promise<void> => {
    for (let i = 0; i < 300; i++) saved.push((await history.saveMessage('c', say(`${i}`))).id)
  }
  await Promise.all([write(a), write(b)])
  await eventually(() => expect(told.ids().length).toBeGreaterThanOrEqual(600))
  expect(told.ids().toSorted()).toEqual(saved.toSorted())
  const late = told.positions().filter((each, i, all) => i > 0 && each < all[i - 1]!)
  expect(late.length).toBeGreaterThan(0)
})

describe('what stands among the older messages', () => {
  const OLD = 200
  const HOUR_MS = 3_600_000

  async function withOld(history: ChatHistory): Promise<string[]> {
    const from = Date.now() - HOUR_MS
    const ids = Array.from({ length: OLD }, (_, i) => `old ${i}`)
    await arrive(history, ids, from)
    return ids
  }

  /** Whether a message lies in what is to be read again. */
  async function isIn(history: ChatHistory, change: ChangeEvent, id: string): Promise<boolean> {
    if (change.type !== 'resync') return false
    const { after, before } = change
    const page = await history.getHistory('c', {
      limit: 1000,
      order: 'oldest',
      ...(after && { after }),
      ...(before && { before }),
    })
    return page.messages.some((message) => message.id === id)
  }

  test('a message that arrives an hour late is told by a resync', async () => {
    const directory = await scratch()
    const follower = await open(directory)
    await withOld(follower)
    const told = await follow(follower, { conversationId: 'c' })
    const other = await open(directory)
    await arrive(other, ['late'], Date.now() - HOUR_MS + 99_500)
    await eventually(async () => {
      const found = await Promise.all(told.changes.map((each) => isIn(follower, each, 'late')))
      expect(found).toContain(true)
    })
    // Not the whole conversation is read again.
    const [resync] = told.changes.filter(({ type }) => type === 'resync')
    expect(resync).toMatchObject({ before: expect.any(String) })
  })

  test('a message that only the backup had is told when a pass has copied it', async () => {
    const history = await open(await scratch())
    await withOld(history)
    await history.flush()
    const told = await follow(history, { conversationId: 'c' })
    await arrive(history, ['late'], Date.now() - HOUR_MS + 99_500, ['backup'])
    const { copied } = await history.reconcile()
    expect(copied).toBe(1)
    await eventually(async () => {
      const found = await Promise.all(told.changes.map((each) => isIn(history, each, 'late')))
      expect(found).toContain(true)
    })
  })

  test('an update and a removal of this process are told at once', async () => {
    const history = await open(await scratch())
    const [first, second] = await withOld(history)
    const told = await follow(history, { conversationId: 'c' })
    await history.updateMessage('c', first!, say('new'))
    await eventually(async () => {
      const found = await Promise.all(told.changes.map((each) => isIn(history, each, first!)))
      expect(found).toContain(true)
    })
    const before = told.changes.length
    await history.deleteMessage('c', second!)
    await eventually(() => expect(told.changes.length).toBeGreaterThan(before))
    expect(told.changes.at(-1)?.type).toBe('resync')
  })

  test('whoever goes on with a cursor elsewhere learns what came late meanwhile', async () => {
    const directory = await scratch()
    const one = await open(directory)
    await withOld(one)
    const told = await follow(one, { conversationId: 'c' })
    await one.saveMessage('c', say('last'))
    await eventually(() => expect(told.ids()).toHaveLength(1))
    const since = told.changes.at(-1)!.cursor
    told.stop()
    await arrive(one, ['late'], Date.now() - HOUR_MS + 99_500)
    const { id: next } = await one.saveMessage('c', say('next'))
    const other = await open(directory)
    const again = await follow(other, { conversationId: 'c', since })
    expect(again.ids()).toContain(next)
    await eventually(async () => {
      const found = await Promise.all(again.changes.map((each) => isIn(other, each, 'late')))
      expect(found).toContain(true)
    })
  })

  test('without changes nothing is told again but the latest messages', async () => {
    const directory = await scratch()
    const one = await open(directory)
    const ids = await withOld(one)
    const told = await follow(one, { conversationId: 'c', since: 'beginning' })
    expect(told.ids()).toEqual(ids)
    const { cursor } = told.changes.at(-1)!
    const other = await open(directory)
    const again = await follow(other, { conversationId: 'c', since: cursor })
    await other.saveMessage('c', say('last'))
    await eventually(() => expect(again.changes.at(-1)?.type).toBe('message'))
    expect(again.changes.filter(({ type }) => type === 'resync')).toEqual([])
    expect(again.ids().length).toBeLessThan(100)
  })

  test('a cursor knows of clears, and of removals among the latest messages', async () => {
    const directory = await scratch()
    const one = await open(directory)
    await one.saveMessage('c', say('a', 'a'))
    const told = await follow(one, { conversationId: 'c', since: 'beginning' })
    const { cursor } = told.changes.at(-1)!
    await one.deleteMessage('c', 'a')
    const other = await open(directory)
    const removed = await follow(other, { conversationId: 'c', since: cursor })
    expect(removed.changes[0]).toMatchObject({ type: 'removed', id: 'a' })
    await one.clearHistory('c')
    const cleared = await follow(other, { conversationId: 'c', since: cursor })
    expect(cleared.changes[0]).toMatchObject({ type: 'cleared' })
  })
})

describe('a consumer', () => {
  test('that is slow gets everything, and memory is bounded', async () => {
    const directory = await scratch()
    const writer = await open(directory)
    const history = await open(directory)
    const changes = history.subscribe({ conversationId: 'c', bufferMax: 5 })
    onTestFinished(() => changes.close())
    expect((await changes.next()).value).toMatchObject({ type: 'ready' })
    const saved: string[] = []
    for (let i = 0; i < 40; i++) {
      const own = i % 2 === 0 ? writer : history
      const receipts = await own.saveMessages(
        'c',
        Array.from({ length: 20 }, () => say('x')),
      )
      saved.push(...receipts.map(({ id }) => id))
    }
    const ids: string[] = []
    while (ids.length < saved.length) {
      const { value, done } = await changes.next()
      if (done === true) break
      if (value.type === 'message') ids.push(value.message.id)
    }
    expect(ids.toSorted()).toEqual(saved.toSorted())
  })

  test('ends with its signal, with close, and with the history', async () => {
    const history = await open(await scratch())
    const stop = new AbortController()
    const ends = [
      history.subscribe({ conversationId: 'c', signal: stop.signal }),
      history.subscribe({ conversationId: 'c' }),
      history.subscribe({}),
    ].map(async (changes, i) => {
      if (i === 1) setTimeout(() => changes.close(), 50)
      for await (const change of changes) expect(change.type).toBe('ready')
    })
    stop.abort()
    await ends[0]
    await ends[1]
    await history.close()
    await ends[2]
    const after = history.subscribe({ conversationId: 'c' })
    expect(await after.next()).toEqual({ done: true, value: undefined })
  })

  test('is refused what is no cursor of what it follows', async () => {
    const history = await open(await scratch())
    const told = await follow(history, { conversationId: 'c' })
    const { cursor } = told.changes[0]!
    for (const options of [
      { conversationId: 'd', since: cursor },
      { since: cursor },
      { conversationId: 'c', since: 'x' },
      { since: 'beginning' },
      { conversationId: '' },
    ]) {
      expect(() => history.subscribe(options)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    }
  })
})

describe('all conversations', () => {
  test('of one tenant are followed, of all processes', async () => {
    const directory = await scratch()
    const one = await open(directory, { tenant: 't' })
    const other = await open(directory, { tenant: 't' })
    const stranger = await open(directory, { tenant: 'u' })
    await one.saveMessage('old', say('old'))
    const told = await follow(one, {})
    const saved: string[] = []
    for (let i = 0; i < 60; i++) {
      const own = i % 2 === 0 ? one : other
      saved.push((await own.saveMessage(`c${i % 7}`, say(`${i}`))).id)
      if (i % 5 === 0) await stranger.saveMessage('c1', say('foreign'))
    }
    await eventually(() => expect(told.ids().length).toBeGreaterThanOrEqual(60))
    expect(told.ids().toSorted()).toEqual(saved.toSorted())
    await other.updateMessage('c0', saved[0]!, say('new'))
    await eventually(() =>
      expect(told.changes.at(-1)).toMatchObject({ type: 'updated', conversationId: 'c0' }),
    )
    await other.clearHistory('c1')
    await eventually(() =>
      expect(told.changes.at(-1)).toMatchObject({ type: 'cleared', conversationId: 'c1' }),
    )
    const { cursor } = told.changes.at(-1)!
    told.stop()
    const { id } = await one.saveMessage('new', say('new'))
    const again = await follow(other, { since: cursor })
    expect(again.ids()).toContain(id)
  })
})

test('while no place answers it waits, says so, and goes on', async () => {
  const [primary, backup] = [0, 1].map(() => faultyBackend(new DurableMemoryBackend()))
  const history = await openChatHistory({
    primary: primary!,
    backup: backup!,
    wal: `file:${join(await scratch(), 'wal')}`,
    logger: false,
    health: {
      type: 'circuit-breaker',
      config: { circuitOpenDuration: 100, healthCheckInterval: 50 },
    },
    drainTimeout: 500,
  })
  onTestFinished(() => history.close())
  const states: string[] = []
  const told = await follow(history, {
    conversationId: 'c',
    onState: ({ state }) => states.push(state),
  })
  const { id: before } = await history.saveMessage('c', say('before'))
  primary!.setMode('refused')
  backup!.setMode('refused')
  await eventually(() => expect(states).toEqual(['waiting']))
  const { id: meanwhile } = await history.saveMessage('c', say('meanwhile'))
  primary!.setMode('up')
  backup!.setMode('up')
  await eventually(() => expect(states).toEqual(['waiting', 'live']))
  await eventually(() => expect(told.ids()).toEqual([before, meanwhile]))
  expect(told.changes.map(({ type }) => type)).toEqual(['ready', 'message', 'message'])
})

// Goal: what a tenant does not want to keep goes, everywhere and for good, and nothing else does.
// Method: stores in memory whose clock stands still until it is told to move.
import { expect, onTestFinished, test, vi } from 'vitest'
import {
  openChatHistory,
  type ChatHistory,
  type ChatHistoryOptions,
  type RetentionOptions,
} from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'

const HOUR = 3_600_000

interface Rig {
  readonly env: VirtualEnv
  readonly primary: DurableMemoryBackend
  readonly backup: DurableMemoryBackend
  readonly open: (
    retention?: RetentionOptions,
    options?: ChatHistoryOptions,
  ) => Promise<ChatHistory>
}

function rig(): Rig {
  const env = virtualEnv()
  const [primary, backup] = [new DurableMemoryBackend(env), new DurableMemoryBackend(env)]
  return {
    env,
    primary,
    backup,
    open: async (retention, options = {}) => {
      const history = await env.drive(
        openChatHistory({
          env,
          primary: faultyBackend(primary),
          backup: faultyBackend(backup),
          wal: 'memory:',
          ...(retention && { retention }),
          ...options,
        }),
      )
      onTestFinished(() => env.drive(history.close()))
      return history
    },
  }
}

async function contents({ env }: Rig, history: ChatHistory, id = 'c'): Promise<unknown[]> {
  const { messages } = await env.drive(history.getHistory(id))
  return messages.map(({ content }) => content)
}

async function say({ env }: Rig, history: ChatHistory, ...texts: string[]): Promise<void> {
  for (const content of texts) {
    await env.drive(history.saveMessage('c', { role: 'user', content }))
    await env.advance(1_000)
  }
}

test('only the latest messages stay, in both databases', async () => {
  const store = rig()
  const history = await store.open({ maxMessages: 2 })
  await say(store, history, '1', '2', '3', '4')
  const report = await store.env.drive(history.applyRetention())
  expect(report).toMatchObject({ conversations: 1, removed: 2, unfinished: 0 })
  expect(await contents(store, history)).toEqual(['3', '4'])
  await store.env.drive(history.flush())
  for (const place of [store.primary, store.backup]) {
    expect((await place.countItems('chat/0::c')).count).toBe(2)
  }
  expect((await store.env.drive(history.applyRetention())).removed).toBe(0)
})

test('messages go when they are too old, by the clock of the store and by itself', async () => {
  const store = rig()
  const history = await store.open({ maxAge: 2 * HOUR, interval: HOUR })
  await say(store, history, 'old')
  await store.env.advance(1.5 * HOUR)
  await say(store, history, 'young')
  expect(await contents(store, history)).toEqual(['old', 'young'])
  await store.env.advance(2 * HOUR)
  expect(await contents(store, history)).toEqual(['young'])
  await store.env.advance(3 * HOUR)
  expect(await contents(store, history)).toEqual([])
  await say(store, history, 'new')
  expect(await contents(store, history)).toEqual(['new'])
})

test('what went never comes back: not by a database that was out, and not by a late flush', async () => {
  const store = rig()
  const { env } = store
  const backup = faultyBackend(store.backup)
  const history = await store.open({ maxMessages: 1 }, { backup })
  await say(store, history, '1')
  await env.drive(history.flush())
  backup.setMode('refused')
  await say(store, history, '2', '3')
  await env.drive(history.applyRetention())
  expect((await store.backup.countItems('chat/0::c')).count).toBe(1)
  backup.setMode('up')
  await env.advance(30_000)
  await env.drive(history.flush())
  await env.drive(history.reconcile())
  for (const place of [store.primary, store.backup]) {
    expect((await place.countItems('chat/0::c')).count).toBe(1)
  }
  expect(await contents(store, history)).toEqual(['3'])
})

test('a tool call and its results stay together', async () => {
  const store = rig()
  const history = await store.open({ maxMessages: 2 })
  await store.env.drive(
    history.saveMessages('c', [
      { role: 'user', content: 'question' },
      { role: 'assistant', content: null, toolCalls: [{ id: 'a' }, { id: 'b' }] },
      { role: 'tool', content: 'a', toolCallId: 'a' },
      { role: 'tool', content: 'b', toolCallId: 'b' },
    ]),
  )
  await store.env.drive(history.applyRetention())
  expect(await contents(store, history)).toEqual([null, 'a', 'b'])
})

test('an edited message goes with its edit: nothing of it stays stored', async () => {
  const store = rig()
  const { env } = store
  const history = await store.open({ maxMessages: 1 })
  const { id } = await env.drive(history.saveMessage('c', { role: 'user', content: 'first' }))
  await say(store, history, 'kept')
  await env.drive(history.updateMessage('c', id, { role: 'user', content: 'secret' }))
  await env.drive(history.applyRetention())
  await env.drive(history.flush())
  expect(await contents(store, history)).toEqual(['kept'])
  for (const place of [store.primary, store.backup]) {
    const { items } = await place.readItemsById('chat/0::c', [id])
    expect(JSON.stringify(items)).not.toContain('secret')
  }
})

test('single conversations may have limits of their own, and other tenants have none of it', async () => {
  const store = rig()
  const { env } = store
  const forConversation = (id: string): { maxMessages?: number } | undefined =>
    id === 'free' ? {} : undefined
  const history = await store.open({ maxMessages: 1, forConversation }, { tenant: 'a' })
  const other = await store.open(undefined, { tenant: 'b' })
  for (const [owner, id] of [
    [history, 'free'],
    [history, 'bound'],
    [other, 'bound'],
  ] as const) {
    for (let i = 0; i < 3; i++) {
      await env.drive(owner.saveMessage(id, { role: 'user', content: `${i}` }))
    }
  }
  await env.drive(history.applyRetention())
  expect(await contents(store, history, 'free')).toHaveLength(3)
  expect(await contents(store, history, 'bound')).toHaveLength(1)
  expect(await contents(store, other, 'bound')).toHaveLength(3)
  await expect(env.drive(other.applyRetention())).rejects.toThrow(/retention/)
})

test('processes that share a store share the passes', async () => {
  const store = rig()
  const { env } = store
  const listed = vi.spyOn(store.primary, 'listKeys')
  for (let i = 0; i < 2; i++) await store.open({ maxMessages: 5, interval: HOUR })
  await env.advance(4 * HOUR)
  // Looking for erases, and for what has expired, lists other keys.
  const passes = listed.mock.calls.filter(([{ prefix }]) => prefix.startsWith('chat/')).length
  expect(passes).toBeGreaterThan(2)
  expect(passes).toBeLessThan(8)
})

test('options that cannot work are refused by name', async () => {
  const bad: readonly (readonly [RetentionOptions, RegExp])[] = [
    [{}, /maxAge, maxMessages or forConversation/],
    [{ maxAge: 10 }, /retention\.maxAge/],
    [{ maxMessages: 0 }, /retention\.maxMessages/],
    [{ maxMessages: 1, interval: 5 }, /retention\.interval/],
    [{ maxMessages: 1.5 }, /retention\.maxMessages/],
    [{ days: 3 } as unknown as RetentionOptions, /days/],
  ]
  for (const [retention, message] of bad) {
    await expect(rig().open(retention)).rejects.toThrow(message)
  }
})

test('a pass ends messages that were left behind by their writers long ago', async () => {
  const store = rig()
  const { env } = store
  const one = await store.open()
  const stream = await env.drive(one.startMessage('c', { role: 'assistant', id: 'm' }))
  await env.drive(stream.append('half a'))
  await env.drive(one.close())
  const two = await store.open({ maxMessages: 1_000, interval: 24 * HOUR })
  await env.drive(two.applyRetention())
  expect(await env.drive(two.store.list('stream/'))).toHaveLength(1)
  await env.advance(1.1 * HOUR)
  await env.drive(two.applyRetention())
  expect(await env.drive(two.store.list('stream/'))).toEqual([])
  const { messages } = await env.drive(two.getHistory('c'))
  expect(messages).toMatchObject([{ content: 'half a', status: 'incomplete' }])
})

// Goal: the state of a bot behaves as the in-memory state of the Chat SDK, and is one for many writers. Method: random calls on both,
// with a clock that is set forward, and races.
import { createMemoryState } from '@chat-adapter/state-memory'
import { Chat, Message, type Adapter, type Lock, type QueueEntry, type StateAdapter } from 'chat'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { openChatHistory, type ChatHistory } from '../index.ts'
import { EverthreadChatState } from './chat-sdk.ts'

const MEMORY = { primary: 'memory:', backup: 'memory:', wal: 'memory:' } as const
const RUNS = Number(process.env['ADAPTER_RUNS'] ?? 60)

let memory: ChatHistory
beforeAll(async () => {
  memory = await openChatHistory(MEMORY)
})
afterAll(() => memory.close())
afterEach(() => vi.useRealTimers())

let tenants = 0
function fresh(): EverthreadChatState {
  return new EverthreadChatState(memory.forTenant(`tenant-${++tenants}`))
}

/** An entry as the Chat SDK makes them; its message is an instance of a class there. */
function entryOf(message: unknown, expiresAt = Date.now() + 86_400_000): QueueEntry {
  return { message, enqueuedAt: 1, expiresAt } as QueueEntry
}

const thread = fc.constantFrom('slack:C1:1.2', 'slack:C1', 'ä/😀%', '\0', '\ud800', '')
const value = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' })).map((given) => {
  return JSON.parse(JSON.stringify(given)) as unknown
})
/** Never as long as the clock is set forward. Milliseconds. */
const ttlMs = fc.constantFrom(500, 2_500, 3_600_500)
const optionalTtl = fc.option(fc.oneof(ttlMs, fc.constant(0)), { nil: undefined })
const call = fc.oneof(
  fc.record({ call: fc.constantFrom('subscribe', 'unsubscribe', 'dequeue', 'force'), thread }),
  fc.record({ call: fc.constant('lock' as const), thread, ttlMs }),
  fc.record({ call: fc.constantFrom('extend', 'release'), held: fc.nat(3), ttlMs }),
  fc.record({ call: fc.constantFrom('set', 'setIfNotExists'), thread, value, ttlMs: optionalTtl }),
  fc.record({ call: fc.constant('delete' as const), thread }),
  fc.record({
    call: fc.constant('append' as const),
    thread,
    value,
    options: fc.option(
      fc.record({ maxLength: fc.nat(3), ttlMs: optionalTtl }, { requiredKeys: [] }),
      { nil: undefined },
    ),
  }),
  fc.record({ call: fc.constant('enqueue' as const), thread, value, size: fc.nat(3) }),
  fc.record({ call: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 3_000) }),
)
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never

test('it is the in-memory state, also while time passes', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 15 }), async (calls) => {
      const ours = fresh()
      const theirs = createMemoryState()
      await theirs.connect()
      const [ourLocks, theirLocks]: [Lock[], Lock[]] = [[], []]
      for (const each of calls) {
        if (each.call === 'wait') vi.setSystemTime(Date.now() + each.ms)
        const mine = await apply(ours, each, ourLocks)
        expect(mine).toEqual(await apply(theirs, each, theirLocks))
        expect(await shown(ours)).toEqual(await shown(theirs))
      }
    }),
    { numRuns: RUNS },
  )
})

async function apply(state: StateAdapter, each: Call, locks: Lock[]): Promise<unknown> {
  switch (each.call) {
    case 'subscribe':
      return await state.subscribe(each.thread)
    case 'unsubscribe':
      return await state.unsubscribe(each.thread)
    case 'dequeue':
      return await state.dequeue(each.thread)
    case 'force':
      return await state.forceReleaseLock(each.thread)
    case 'lock': {
      const lock = await state.acquireLock(each.thread, each.ttlMs)
      if (lock !== null) locks.push(lock)
      return lock && { ...lock, token: typeof lock.token }
    }
    case 'extend':
    case 'release': {
      const lock = locks.at(each.held)
      if (lock === undefined) return undefined
      if (each.call === 'release') return await state.releaseLock(lock)
      return await state.extendLock(lock, each.ttlMs)
    }
    case 'set':
      return await state.set(each.thread, each.value, each.ttlMs)
    case 'setIfNotExists':
      return await state.setIfNotExists(each.thread, each.value, each.ttlMs)
    case 'delete':
      return await state.delete(each.thread)
    case 'append':
      return await state.appendToList(`list of ${each.thread}`, each.value, {
        ...each.options,
      } as { maxLength?: number })
    case 'enqueue':
      return await state.enqueue(each.thread, entryOf(each.value, 2 ** 45), each.size)
    case 'wait':
      return undefined
  }
}

async function shown(state: StateAdapter): Promise<unknown> {
  const threads = ['slack:C1:1.2', 'slack:C1', 'ä/😀%', '\0', '\ud800', '']
  return await Promise.all(
    threads.map(async (name) => ({
      isSubscribed: await state.isSubscribed(name),
      value: await state.get(name),
      list: await state.getList(`list of ${name}`),
      depth: await state.queueDepth(name),
    })),
  )
}

test('of many who want one lock or one key, one gets it', async () => {
  const history = memory.forTenant('race')
  const states = Array.from({ length: 20 }, () => new EverthreadChatState(history))
  const locks = await Promise.all(states.map((state) => state.acquireLock('t', 60_000)))
  expect(locks.filter((lock) => lock !== null)).toHaveLength(1)
  const set = await Promise.all(states.map((state, i) => state.setIfNotExists('k', i)))
  expect(set.filter(Boolean)).toHaveLength(1)
  expect(await states[0]!.get('k')).toBe(set.indexOf(true))
})

test('who was overtaken can neither extend nor release the lock of another', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const state = fresh()
  const first = (await state.acquireLock('t', 1_000))!
  vi.setSystemTime(Date.now() + 1_000)
  expect(await state.extendLock(first, 60_000)).toBe(false)
  const second = (await state.acquireLock('t', 60_000))!
  expect(second.token > first.token).toBe(true)
  await state.releaseLock(first)
  expect(await state.extendLock(first, 60_000)).toBe(false)
  expect(await state.extendLock(second, 60_000)).toBe(true)
  expect(await state.acquireLock('t', 1)).toBeNull()
  await state.forceReleaseLock('t')
  expect(await state.extendLock(second, 60_000)).toBe(false)
  expect(await state.extendLock({ threadId: 'u' } as Lock, 60_000)).toBe(false)
  expect((await state.acquireLock('t', 60_000))?.threadId).toBe('t')
})

test('nothing is lost of lists and queues that many write at once', async () => {
  const history = memory.forTenant('writers')
  const states = [new EverthreadChatState(history), new EverthreadChatState(history)]
  const numbers = Array.from({ length: 30 }, (_, i) => i)
  await Promise.all(numbers.map((i) => states[i % 2]!.appendToList('l', i)))
  await Promise.all(numbers.map((i) => states[i % 2]!.enqueue('t', entryOf(i), 100)))
  expect(new Set(await states[0]!.getList('l'))).toEqual(new Set(numbers))
  const taken = await Promise.all(numbers.map((i) => states[i % 2]!.dequeue('t')))
  expect(new Set(taken.map((each) => each!.message as unknown))).toEqual(new Set(numbers))
  expect(await states[0]!.dequeue('t')).toBeNull()
})

test('entries that have expired are neither counted nor given out', async () => {
  const state = fresh()
  await state.enqueue('t', entryOf('stale', Date.now() - 1), 10)
  expect(await state.queueDepth('t')).toBe(0)
  expect(await state.enqueue('t', entryOf('fresh'), 10)).toBe(1)
  expect((await state.dequeue('t'))?.message).toBe('fresh')
  expect(await state.dequeue('t')).toBeNull()
})

test('a message is kept as what it says of itself', async () => {
  const state = fresh()
  const message = { toJSON: () => ({ _type: 'chat:Message', text: 'Hi \0 \ud800' }) }
  await state.enqueue('t', entryOf(message), 10)
  const entry = await state.dequeue('t')
  expect(entry?.message).toEqual({ _type: 'chat:Message', text: 'Hi \0 \ud800' })
})

test('two bots that are told the same messages handle each once, and one at a time', async () => {
  const history = memory.forTenant('bots')
  const handled: string[] = []
  let running = 0
  const bots = [1, 2].map(() => {
    const bot = new Chat({
      userName: 'helper',
      adapters: { platform: PLATFORM },
      state: new EverthreadChatState(history),
      concurrency: 'queue',
      logger: 'error',
    })
    bot.onNewMessage(/./, async (_thread, message, context) => {
      expect(++running).toBe(1)
      await history.store.pause(5)
      for (const each of [...(context?.skipped ?? []), message]) handled.push(each.text)
      running--
    })
    return bot
  })
  const waits: Promise<unknown>[] = []
  const waitUntil = (promise: Promise<unknown>): void => void waits.push(promise)
  for (const id of ['1', '2', '3', '4', '5']) {
    for (const bot of bots) {
      await bot.initialize()
      void bot.processMessage(PLATFORM, 'platform:C:1', messageOf(id), { waitUntil })
    }
  }
  await Promise.all(waits)
  expect(handled.sort()).toEqual(['text 1', 'text 2', 'text 3', 'text 4', 'text 5'])
})

/** As much of a platform as a bot needs to be told of messages. */
const PLATFORM = {
  name: 'platform',
  userName: 'helper',
  initialize: () => Promise.resolve(),
  channelIdFromThreadId: () => 'platform:C',
  isDM: () => false,
} as unknown as Adapter

function messageOf(id: string): Message {
  const author = { userId: 'u', userName: 'ann', fullName: 'Ann', isBot: false, isMe: false }
  return new Message({
    id,
    threadId: 'platform:C:1',
    text: `text ${id}`,
    formatted: { type: 'root', children: [] },
    raw: {},
    author,
    metadata: { dateSent: new Date(), edited: false },
    attachments: [],
  })
}

test('tenants do not see each other, and what is cleared can be used again', async () => {
  const [ann, bob] = [fresh(), fresh()]
  await ann.subscribe('t')
  await ann.acquireLock('t', 60_000)
  await ann.set('k', 1)
  expect([await bob.isSubscribed('t'), await bob.get('k')]).toEqual([false, null])
  expect(await bob.acquireLock('t', 60_000)).not.toBeNull()
  await ann.delete('k')
  expect([await ann.setIfNotExists('k', 2), await ann.get('k')]).toEqual([true, 2])
})

test('what cannot be kept is refused before anything is written', async () => {
  const state = fresh()
  const invalid = { code: 'INVALID_ARGUMENT', effect: 'none' }
  const loop: unknown[] = []
  loop.push(loop)
  const bad = { ...entryOf(1), expiresAt: NaN }
  for (const tried of [
    () => state.acquireLock('t', 0),
    () => state.acquireLock('t', 1.5),
    () => state.set('k', undefined),
    () => state.set('k', loop),
    () => state.set('k', 1, -1),
    () => state.appendToList('l', 1, { maxLength: -1 }),
    () => state.enqueue('t', bad, 1),
    () => state.enqueue('t', entryOf(1), NaN),
    () => state.get(1 as unknown as string),
  ]) {
    await expect(tried()).rejects.toMatchObject(invalid)
  }
  expect(() => new EverthreadChatState(memory, { decide: 'backup' as 'primary' })).toThrow(
    /decide must be primary or anywhere/,
  )
  expect(await shown(state)).toEqual(await shown(fresh()))
})

test('after the history was closed every call is an error', async () => {
  const history = await openChatHistory(MEMORY)
  onTestFinished(() => history.close())
  const state = new EverthreadChatState(history)
  await state.connect()
  const lock = (await state.acquireLock('t', 60_000))!
  await state.disconnect()
  expect(await state.extendLock(lock, 60_000)).toBe(true)
  await history.close()
  for (const tried of [
    () => state.isSubscribed('t'),
    () => state.acquireLock('u', 1),
    () => state.extendLock(lock, 1),
    () => state.dequeue('t'),
    () => state.queueDepth('t'),
    () => state.getList('l'),
    () => state.setIfNotExists('k', 1),
  ]) {
    await expect(tried()).rejects.toMatchObject({ code: 'CLOSED' })
  }
})

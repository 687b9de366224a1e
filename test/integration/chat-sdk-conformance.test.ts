// Goal: the state of a bot is one for all processes, on every database, and no outage is taken for an empty state. Method: two
// processes that want the same things; servers that are killed.
import type { QueueEntry } from 'chat'
import { describe, expect, test } from 'vitest'
import { EverthreadChatState } from '../../src/adapters/chat-sdk.ts'
import { open, optionsOf, ownRedis, primaries, startWorker } from '../support/adapter-rig.ts'
import { TIMES, workOnState, type Got } from '../support/chat-state-work.ts'
import { postgresUrl } from '../support/postgres-backend.ts'
import { describeRedis } from '../support/redis-server.ts'

describe('two processes', () => {
  test.each(primaries(postgresUrl))(
    'on %s share locks, keys, lists and queues',
    async (_name, primaryOf) => {
      const primary = await primaryOf()
      const mine = await optionsOf(primary)
      const history = await open(mine)
      const state = new EverthreadChatState(history)
      const worker = startWorker('chat-state-worker.ts', {
        ...(await optionsOf(primary)),
        backup: mine.backup,
      })
      expect(await worker.line()).toBe('ready')
      worker.write('go')
      const got = [await workOnState(history, state, 'test')]
      got.push(JSON.parse(await worker.line()) as Got)
      expect(await worker.ended()).toBe(0)
      const numbers = Array.from({ length: TIMES }, (_, i) => i)
      expect(got.flatMap(({ won }) => won).sort((a, b) => a - b)).toEqual(numbers)
      expect(await state.get('count')).toBe(2 * TIMES)
      const all = ['test', 'worker'].flatMap((name) => numbers.map((i) => `${name} ${i}`)).sort()
      expect((await state.getList<string>('list')).toSorted()).toEqual(all)
      const taken = got.flatMap((each) => each.taken)
      expect(await state.queueDepth('thread')).toBe(2 * TIMES - taken.length)
      for (let left = await state.dequeue('thread'); left; left = await state.dequeue('thread')) {
        taken.push(left.message)
      }
      expect(taken.map(String).sort()).toEqual(all)
    },
  )
})

const OUTAGE = {
  code: expect.stringMatching(/^(?:UNAVAILABLE|TIMEOUT)$/),
  effect: expect.stringMatching(/^(?:none|unknown)$/),
}
const ENTRY = { message: {} as unknown, enqueuedAt: 1, expiresAt: 2 ** 45 } as QueueEntry

describeRedis('while servers are killed', () => {
  test('the primary is out: reads answer, and what it decides is an error unless the backup may', async () => {
    const server = await ownRedis()
    const history = await open(await optionsOf(server.url))
    const state = new EverthreadChatState(history)
    const free = new EverthreadChatState(history, { decide: 'anywhere' })
    await state.subscribe('t')
    await state.set('k', 'v')
    await state.enqueue('t', ENTRY, 10)
    const lock = (await state.acquireLock('t', 600_000))!
    await history.flush()
    await server.kill()
    expect([await state.isSubscribed('t'), await state.get('k')]).toEqual([true, 'v'])
    expect(await state.queueDepth('t')).toBe(1)
    await state.subscribe('u')
    await expect(state.acquireLock('u', 1_000)).rejects.toMatchObject({
      effect: expect.any(String),
    })
    const out = { code: 'UNAVAILABLE', effect: 'none' }
    await expect(state.acquireLock('u', 1_000)).rejects.toMatchObject(out)
    await expect(state.extendLock(lock, 1_000)).rejects.toMatchObject(out)
    await expect(state.setIfNotExists('k2', 1)).rejects.toMatchObject(out)
    await expect(state.dequeue('t')).rejects.toMatchObject(out)
    expect(await free.acquireLock('t', 1_000)).toBeNull()
    expect(await free.acquireLock('v', 600_000)).not.toBeNull()
    expect(await free.setIfNotExists('k2', 1)).toBe(true)
    await server.restart()
    await expect.poll(() => state.acquireLock('u', 1_000).catch(() => null)).not.toBeNull()
    expect(await state.acquireLock('v', 1_000)).toBeNull()
    expect([await state.isSubscribed('u'), await state.setIfNotExists('k2', 2)]).toEqual([
      true,
      false,
    ])
  })

  test('both are out: no call says that there is nothing', async () => {
    const [one, two] = [await ownRedis(), await ownRedis()]
    const state = new EverthreadChatState(await open(await optionsOf(one.url, two.url)))
    await state.subscribe('t')
    const lock = (await state.acquireLock('t', 600_000))!
    await Promise.all([one.kill(), two.kill()])
    const calls = [
      state.isSubscribed('other'),
      state.acquireLock('other', 1_000),
      state.extendLock(lock, 1_000),
      state.releaseLock(lock),
      state.get('other'),
      state.getList('other'),
      state.dequeue('other'),
      state.queueDepth('other'),
      state.setIfNotExists('other', 1),
    ]
    for (const { status, ...rest } of await Promise.allSettled(calls)) {
      expect([status, rest]).toMatchObject(['rejected', { reason: OUTAGE }])
    }
  })
})

// Goal: what a place refuses, when another one may have it already, leaves both databases equal.
import { expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { StampClock } from '../../src/core/stamp.ts'
import { conversationKey } from '../../src/chat/keys.ts'
import type { JsonText } from '../../src/core/json.ts'
import { sleep } from '../../src/core/time.ts'
import { InMemoryWALManager, openChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'

// Found by the simulation (seed 2003636).
test('a removal that was overtaken by a clear leaves both databases with the clear alone', async () => {
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  const { now, randomBytes } = nodeEnv()
  const clock = new StampClock({ now, writer: randomBytes(8) })
  const apply = primary.apply.bind(primary)
  primary.apply = async (operations, options) => {
    const [first] = operations
    if (options?.decide === true && first?.kind === 'put' && first.change === 'remove') {
      // The log was faster at the backup, and a clear at both.
      await backup.apply([first])
      clock.observe(first.stamp, first.key)
      const clear = { kind: 'delete', key: first.key, stamp: clock.tick(first.key) } as const
      await backup.apply([clear])
      await apply([clear])
    }
    return await apply(operations, options)
  }
  const history = await openChatHistory({ primary, backup, wal: 'memory:', reconcile: false })
  onTestFinished(() => history.close())
  await history.saveMessage('c', { id: 'mine', role: 'user', content: 'hello' })
  await history.flush()
  await expect(history.deleteMessage('c', 'mine')).rejects.toMatchObject({
    code: 'NOT_FOUND',
    effect: 'unknown',
  })
  await history.flush()
  const kept = await everythingIn(backup)
  expect(kept).toMatchObject([{ kind: 'delete' }])
  expect(await everythingIn(primary)).toEqual(kept)
})

test('a removal that was refused is owed to nobody', async () => {
  const primary = new DurableMemoryBackend()
  const backup = faultyBackend(new DurableMemoryBackend())
  const apply = primary.apply.bind(primary)
  primary.apply = async (operations, options) => {
    const [first] = operations
    if (options?.decide === true && first?.kind === 'put' && first.change === 'remove') {
      await apply([{ kind: 'delete', key: first.key, stamp: first.position }])
    }
    return await apply(operations, options)
  }
  const history = await openChatHistory({ primary, backup, wal: 'memory:', reconcile: false })
  onTestFinished(() => history.close())
  await history.saveMessage('c', { id: 'mine', role: 'user', content: 'hello' })
  await history.flush()
  backup.setMode('refused')
  await expect(history.deleteMessage('c', 'mine')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await eventually(() => expect(history.status().places.backup.pending).toBe(0))
})

// With a full log, whichever of the two positions is the later one.
test.each([-1_000, 1_000])('an id taken at both places ends up equal (%i ms)', async (skewMs) => {
  const env = virtualEnv()
  const [first, second] = [new DurableMemoryBackend(env), new DurableMemoryBackend(env)]
  const now = (): number => env.now() + skewMs
  const stamp = new StampClock({ now, writer: env.randomBytes(8) }).tick('')
  const key = conversationKey('', 'c')
  const primary = faultyBackend(first)
  const backup = faultyBackend(second)
  const walManager = new InMemoryWALManager({ maxEntries: 1 }, env)
  const history = await env.drive(
    openChatHistory({ env, primary, backup, wal: walManager, reconcile: false }),
  )
  onTestFinished(() => env.drive(history.close()))
  const value = '{"role":"user","content":"hello"}' as JsonText
  const other = { kind: 'put', change: 'append', key, id: 'mine', value } as const
  await first.apply([{ ...other, position: stamp, stamp }])
  // Nothing is heard of the primary, so that the backup is asked; the primary answers first all the same.
  primary.onCall(async (operation) => {
    if (operation === 'apply') await sleep(env, 2_500)
    else throw new Error('the connection was reset')
  })
  backup.onCall(async (operation) => {
    if (operation === 'apply') await sleep(env, 3_000)
  })
  const receipt = await env.drive(
    history.saveMessage('c', { id: 'mine', role: 'user', content: 'hello' }),
  )
  expect(receipt.position).toBe(stamp)
  primary.onCall(() => {})
  backup.onCall(() => {})
  await env.advance(30_000)
  expect(await everythingIn(second)).toEqual(await everythingIn(first))
})

// Found by programs on PostgreSQL (2000587).
test('a group whose repeat was removed meanwhile is CONFLICT, and what a place took of it is in both', async () => {
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  const { now, randomBytes } = nodeEnv()
  const clock = new StampClock({ now, writer: randomBytes(8) })
  const apply = primary.apply.bind(primary)
  let isRacing = false
  primary.apply = async (operations, options) => {
    const repeat = operations.find((operation) => operation.kind === 'put' && operation.id === 'z')
    if (isRacing && options?.decide === true && repeat?.kind === 'put') {
      isRacing = false
      const { key, position } = repeat
      clock.observe(position, key)
      const stamp = clock.tick(key)
      const removal = { kind: 'put', change: 'remove', key, id: 'z', position, stamp } as const
      await backup.apply([removal])
      await apply([removal])
    }
    return await apply(operations, options)
  }
  const history = await openChatHistory({ primary, backup, wal: 'memory:', reconcile: false })
  onTestFinished(() => history.close())
  const z = { id: 'z', role: 'user', content: 'old' } as const
  await history.saveMessage('c', z)
  await history.flush()
  isRacing = true
  const group = history.saveMessages('c', [{ id: 'x', role: 'user', content: 'new' }, z])
  await expect(group).rejects.toMatchObject({ code: 'CONFLICT', effect: 'unknown' })
  await history.flush()
  expect(await everythingIn(primary)).toEqual(await everythingIn(backup))
  await expect(history.saveMessage('c', z)).rejects.toMatchObject({
    code: 'CONFLICT',
    effect: 'none',
  })
})

async function everythingIn(backend: ReplicaBackend): Promise<unknown[]> {
  const operations: unknown[] = []
  for await (const operation of backend.scan(WHOLE_RANGE)) operations.push(operation)
  return operations
}

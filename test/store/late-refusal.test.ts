// Goal: what a place refuses, when another one may have it already, leaves both databases equal.
import { expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { StampClock } from '../../src/core/stamp.ts'
import { openChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'

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

async function everythingIn(backend: ReplicaBackend): Promise<unknown[]> {
  const operations: unknown[] = []
  for await (const operation of backend.scan(WHOLE_RANGE)) operations.push(operation)
  return operations
}

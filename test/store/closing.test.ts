// Goal: a store that closes leaves nothing behind that others would have to wait for.
import { expect, test } from 'vitest'
import { openChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'

test('a store that closes right after an outage of the primary takes its hint back', async () => {
  const [primary, backup] = [faultyBackend(new DurableMemoryBackend()), new DurableMemoryBackend()]
  const history = await openChatHistory({
    primary,
    backup,
    wal: 'memory:',
    health: { type: 'circuit-breaker', config: { circuitOpenDuration: 20 } },
  })
  primary.setMode('refused')
  await history.saveMessage('c', { role: 'user', content: 'while the primary is out' })
  primary.setMode('up')
  await history.flush()
  await history.close()
  await backup.connect()
  expect((await backup.readState('somebody')).hints).toEqual([])
})

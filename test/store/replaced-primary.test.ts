// Goal: an answer that tells that the primary was replaced is not called complete. Method: databases in
// memory, virtual time; the primary loses its data between two probes.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'
import { sleep } from '../../src/core/time.ts'

test.each<[string, ChatHistoryOptions]>([
  ['primary-first', { read: 'primary-first' }],
  ['failover', { read: 'failover' }],
  ['an old list of hints', { read: { type: 'primary-first', config: { maxHintAge: 60_000 } } }],
])('a primary that was just replaced is not believed alone: %s', async (_what, options) => {
  const env = virtualEnv()
  const database = new DurableMemoryBackend()
  const primary = faultyBackend(database)
  const backup = faultyBackend(new DurableMemoryBackend())
  const history = await env.drive(
    openChatHistory({ env, primary, backup, wal: 'memory:', ...options }),
  )
  onTestFinished(() => env.drive(history.close(), 100))
  await env.drive(history.saveMessage('c', { role: 'user', content: 'hello' }))
  await env.drive(history.store.flushWAL())
  await env.advance(5_000)
  expect(await env.drive(history.getHistory('c'))).toMatchObject({ complete: true })
  // The hints are there before the primary tells who it is.
  primary.onCall(async (operation) => {
    if (operation === 'readItems') await sleep(env, 5)
  })
  database.wipe()
  const { messages, complete } = await env.drive(history.getHistory('c'))
  expect({ complete, count: messages.length }).toEqual({ complete: false, count: 1 })
})

test('a primary that was just replaced decides no id that the backup has', async () => {
  const env = virtualEnv()
  const primary = new DurableMemoryBackend(env)
  const backup = new DurableMemoryBackend(env)
  const open = async (): Promise<ChatHistory> => {
    const history = await env.drive(openChatHistory({ env, primary, backup, wal: 'memory:' }))
    onTestFinished(() => env.drive(history.close(), 100))
    return history
  }
  // A process that never saw the id: it knows nothing of it by itself.
  const [one, two] = [await open(), await open()]
  await env.drive(one.saveMessage('c', { id: 'm1', role: 'user', content: 'first' }))
  await env.drive(one.flush())
  await env.advance(5_000)
  primary.wipe()
  const save = two.saveMessage('c', { id: 'm1', role: 'user', content: 'other' })
  await expect(env.drive(save)).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  await env.advance(60_000)
  const { messages } = await env.drive(two.getHistory('c'))
  expect(messages.map(({ content }) => content)).toEqual(['first'])
})

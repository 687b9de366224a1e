// Goal: a message that is written as a stream is never lost, hidden, doubled or mixed up, whoever reads it and
// whatever dies: what was stored of it stays, its status tells the truth, and one writer goes on.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import {
  isStorageError,
  openChatHistory,
  type ChatHistory,
  type ChatHistoryOptions,
} from '../../src/index.ts'
import { MemoryBackend } from '../../src/core.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'

/** Two stores on the same databases, and a way to make the first one die. */
async function pair(): Promise<{ readonly one: ChatHistory; readonly two: ChatHistory }> {
  const primary = new MemoryBackend()
  const backup = new MemoryBackend()
  const open = async (): Promise<ChatHistory> => {
    const history = await openChatHistory({
      primary,
      backup,
      wal: 'memory:',
      tenant: 't',
      logger: false,
    })
    onTestFinished(() => history.close())
    return history
  }
  return { one: await open(), two: await open() }
}

test('a reader sees what was stored, and the whole message in the end', async () => {
  const { one, two } = await pair()
  await one.saveMessage('c', { role: 'user', content: 'Hello?' })
  const stream = await one.startMessage('c', { role: 'assistant' })
  expect(await two.getMessage('c', stream.id)).toMatchObject({ content: '', status: 'in_progress' })
  await stream.append('Hel')
  await stream.append('lo')
  await stream.flush()
  expect(await two.getMessage('c', stream.id)).toMatchObject({
    content: 'Hello',
    status: 'in_progress',
  })
  await stream.append('!')
  expect(stream.message).toMatchObject({ id: stream.id, content: 'Hello!' })
  const receipt = await stream.finish()
  expect(receipt).toMatchObject({ id: stream.id, position: stream.receipt.position })
  expect(await stream.finish()).toBe(receipt)
  const { messages } = await two.getHistory('c')
  expect(messages.map(({ content, status }) => [content, status])).toEqual([
    ['Hello?', undefined],
    ['Hello!', 'completed'],
  ])
  expect(messages[1]).not.toHaveProperty('$stream')
  expect(await two.store.list('stream/')).toEqual([])
})

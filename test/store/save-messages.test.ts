// Goal: a group of which some messages stand is saved as the caller says, and nothing twice. Method: histories on
// one pair of databases in memory, one of which is cut off.
import { expect, onTestFinished, test } from 'vitest'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

async function open(): Promise<{
  history: ChatHistory
  other: ChatHistory
  primary: FaultyBackend
}> {
  const primary = faultyBackend(new MemoryBackend())
  const places = { primary, backup: new MemoryBackend() }
  const [history, other] = [
    await openChatHistory({ ...places, wal: 'memory:' }),
    await openChatHistory({ ...places, wal: 'memory:' }),
  ]
  onTestFinished(async () => {
    await history.close()
    await other.close()
  })
  return { history, other, primary }
}

const message = (id: string, content: string): { id: string; role: 'user'; content: string } => ({
  id,
  role: 'user',
  content,
})

async function texts(history: ChatHistory): Promise<unknown[]> {
  const { messages } = await history.getHistory('c')
  return messages.map(({ id, content }) => [id, content])
}

test('by default one that stands with other content refuses the whole group', async () => {
  const { history } = await open()
  await history.saveMessages('c', [message('a', 'A')])
  const group = [message('b', 'B'), message('a', 'changed')]
  for (const options of [undefined, {}, { onConflict: 'reject' }] as const) {
    await expect(history.saveMessages('c', group, options)).rejects.toMatchObject({
      code: 'CONFLICT',
    })
  }
  expect(await texts(history)).toEqual([['a', 'A']])
})

test('ignore saves what is new and leaves what stands, edited or removed', async () => {
  const { history, other } = await open()
  const [first] = await history.saveMessages('c', [message('a', 'A'), message('x', 'X')])
  await history.deleteMessage('c', 'x')
  const group = [
    message('b', 'B'),
    message('a', 'changed'),
    message('x', 'again'),
    message('d', 'D'),
  ]
  for (const saver of [other, history]) {
    const receipts = await saver.saveMessages('c', group, { onConflict: 'ignore' })
    expect(receipts.map(({ id }) => id)).toEqual(['b', 'a', 'x', 'd'])
    expect(receipts[1]).toMatchObject({ position: first!.position, copies: [], durable: false })
  }
  expect(await texts(history)).toEqual([
    ['a', 'A'],
    ['b', 'B'],
    ['d', 'D'],
  ])
})

test('replace updates what stands where it stands, and saves what is new once', async () => {
  const { history } = await open()
  await history.saveMessages('c', [message('a', 'A'), message('b', 'B'), message('x', 'X')])
  await history.deleteMessage('c', 'x')
  const group = [message('n', 'N'), message('a', 'changed'), message('x', 'again')]
  for (let i = 0; i < 2; i++) await history.saveMessages('c', group, { onConflict: 'replace' })
  expect(await texts(history)).toEqual([
    ['a', 'changed'],
    ['b', 'B'],
    ['n', 'N'],
  ])
})

test('items without a role are saved over in the same ways', async () => {
  const { history } = await open()
  const call = { id: 'a', type: 'function_call', name: 'now' }
  await history.saveItems('c', [call])
  const group = [
    { ...call, name: 'later' },
    { id: 'b', type: 'reasoning' },
  ]
  await expect(history.saveItems('c', group)).rejects.toMatchObject({ code: 'CONFLICT' })
  await history.saveItems('c', group, { onConflict: 'ignore' })
  const { messages } = await history.getHistory('c')
  expect(messages).toMatchObject([call, { id: 'b', type: 'reasoning' }])
  await history.saveItems('c', group, { onConflict: 'replace' })
  expect((await history.getHistory('c')).messages).toMatchObject(group)
  await expect(
    history.saveMessages('c', group as never, { onConflict: 'ignore' }),
  ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('messages without an id are saved, once for each call', async () => {
  const { history } = await open()
  await history.saveMessages('c', [message('a', 'A')])
  const group = [{ role: 'user', content: 'no id' } as const, message('a', 'changed')]
  const receipts = await history.saveMessages('c', group, { onConflict: 'ignore' })
  expect(new Set(receipts.map(({ id }) => id)).size).toBe(2)
  expect(await history.countMessages('c')).toBe(2)
})

test('one that another process saves in between is not saved over without being asked', async () => {
  const { history, other, primary } = await open()
  let isSaved = false
  primary.onCall(async (name) => {
    if (name !== 'apply' || isSaved) return
    isSaved = true
    await other.saveMessages('c', [message('a', 'first')])
  })
  await history.saveMessages('c', [message('a', 'second'), message('b', 'B')], {
    onConflict: 'ignore',
  })
  expect(isSaved).toBe(true)
  expect(await texts(history)).toEqual([
    ['a', 'first'],
    ['b', 'B'],
  ])
})

test('nothing is saved of none, and what is wrong is refused before any effect', async () => {
  const { history } = await open()
  for (const onConflict of ['reject', 'ignore', 'replace'] as const) {
    expect(await history.saveMessages('c', [], { onConflict })).toEqual([])
    const same = [message('a', 'A'), message('a', 'B')]
    const bad = [message('a', 'A'), { role: 'user', content: 1 } as never]
    for (const group of [same, bad]) {
      await expect(history.saveMessages('c', group, { onConflict })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
  }
  await expect(
    history.saveMessages('c', [], { onConflict: 'merge' as never }),
  ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await texts(history)).toEqual([])
})

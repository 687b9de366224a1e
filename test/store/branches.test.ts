// Goal: nobody loses messages of a fork by what happens to the conversation it was made of, also in an outage, with two
// processes, and with clocks that disagree; and an erase erases.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'

interface Rig {
  readonly env: VirtualEnv
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  /** Another process on the same databases. */
  readonly open: (options?: ChatHistoryOptions) => Promise<ChatHistory>
  readonly texts: (history: ChatHistory, id: string) => Promise<unknown[]>
}

function rig(): Rig {
  const env = virtualEnv()
  const stored = [new DurableMemoryBackend(env), new DurableMemoryBackend(env)] as const
  const [primary, backup] = stored.map(faultyBackend) as [FaultyBackend, FaultyBackend]
  return {
    env,
    primary,
    backup,
    async open(options = {}) {
      const history = await env.drive(
        openChatHistory({ env, primary, backup, wal: 'memory:', ...options }),
      )
      onTestFinished(() => env.drive(history.close()))
      return history
    },
    async texts(history, id) {
      const { messages } = await env.drive(history.getHistory(id, { limit: 100 }))
      return messages.map(({ content }) => content)
    },
  }
}

function said(...texts: string[]): { id: string; role: 'user'; content: string }[] {
  return texts.map((content) => ({ id: `id-${content}`, role: 'user', content }))
}

test('a fork is made, read and written while the primary is out, and is everywhere afterwards', async () => {
  const { env, primary, open, texts } = rig()
  const [one, two] = [await open(), await open()]
  await env.drive(one.saveMessages('c', said('a', 'b', 'c')))
  primary.setMode('refused')
  const { conversationId } = await env.drive(one.fork('c', { from: 'id-b' }))
  await env.drive(one.saveMessages(conversationId, said('d')))
  expect(await texts(one, conversationId)).toEqual(['a', 'b', 'd'])
  await env.drive(one.truncate('c', { from: 'id-b' }))
  expect(await texts(one, 'c')).toEqual(['a'])
  const { kept } = await env.drive(one.editAndResend(conversationId, 'id-b', said('e')[0]!))
  primary.setMode('up')
  await env.advance(20_000)
  await env.drive(one.flush())
  expect(await texts(two, conversationId)).toEqual(['a', 'e'])
  expect(await texts(two, kept)).toEqual(['a', 'b', 'd'])
  expect(await texts(two, 'c')).toEqual(['a'])
})

test('what stands in a fork comes behind what it shares, though the clock of its writer is behind', async () => {
  const { env, open, texts } = rig()
  const one = await open()
  await env.drive(one.saveMessages('c', said('a', 'b')))
  const { conversationId } = await env.drive(one.fork('c'))
  const late = virtualEnv()
  // Another process, a minute behind, that has read nothing.
  expect(late.now()).toBeLessThanOrEqual(env.now())
  const key = `chat/0::${conversationId}`
  const stamp = '00000000-0001-7000-8000-000000000001'
  const put = { kind: 'put', change: 'append', key, id: 'late' } as const
  const [database] = [one.store.getStorageManagers().primary.getHandles().database]
  const operation = { ...put, position: stamp, stamp, value: '{"role":"user","content":"x"}' }
  const answer = await env.drive(database.apply([operation as never], { decide: true }))
  expect(answer.applied[0]?.outcome).toBe('behind')
  expect(await texts(one, conversationId)).toEqual(['a', 'b'])
})

test('two processes: one clears, edits, removes; the fork of the other keeps all', async () => {
  const { env, open, texts } = rig()
  const [one, two] = [await open(), await open()]
  await env.drive(one.saveMessages('c', said('a', 'b', 'c')))
  const { conversationId: fork } = await env.drive(one.fork('c', { from: 'id-b', as: 'f' }))
  const { conversationId: deep } = await env.drive(two.fork(fork, { as: 'g' }))
  await env.drive(two.updateMessage('c', 'id-a', { role: 'user', content: 'A' }))
  await env.drive(two.deleteMessage('c', 'id-b'))
  expect(await texts(one, 'c')).toEqual(['A', 'c'])
  expect(await texts(one, fork)).toEqual(['a', 'b'])
  await env.drive(one.updateMessage(fork, 'id-b', { role: 'user', content: 'B' }))
  expect(await texts(two, fork)).toEqual(['a', 'B'])
  expect(await texts(two, deep)).toEqual(['a', 'b'])
  await env.drive(two.clearHistory('c'))
  await env.drive(one.clearHistory(fork))
  expect(await texts(two, fork)).toEqual([])
  expect(await texts(one, deep)).toEqual(['a', 'b'])
})

test('a clear that could take messages from forks waits for the place that may have more of them', async () => {
  const { env, primary, backup, open, texts } = rig()
  const one = await open()
  await env.drive(one.saveMessages('c', said('a', 'b')))
  const { conversationId } = await env.drive(one.fork('c'))
  await env.drive(one.flush())
  primary.setMode('refused')
  await env.advance(5_000)
  await expect(env.drive(one.clearHistory('c'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    effect: 'none',
  })
  primary.setMode('up')
  await env.advance(20_000)
  await env.drive(one.clearHistory('c'))
  backup.setMode('refused')
  expect(await texts(one, conversationId)).toEqual(['a', 'b'])
})

test('an id that was used is refused, a repeat is the same fork, and bad input says what is wrong', async () => {
  const { env, open } = rig()
  const one = await open()
  await env.drive(one.saveMessages('c', said('a', 'b')))
  await env.drive(one.saveMessages('used', said('x')))
  await env.drive(one.saveMessages('cleared', said('y')))
  await env.drive(one.clearHistory('cleared'))
  for (const as of ['used', 'cleared', 'c']) {
    await expect(env.drive(one.fork('c', { as }))).rejects.toMatchObject({ code: 'CONFLICT' })
  }
  const first = await env.drive(one.fork('c', { from: 'id-a', as: 'f' }))
  expect(await env.drive(one.fork('c', { from: 'id-a', as: 'f' }))).toEqual(first)
  expect((await env.drive(one.listForks('c'))).forks).toEqual([
    { conversationId: 'f', messageId: 'id-a' },
  ])
  expect(await env.drive(one.forkedFrom('f'))).toEqual({ conversationId: 'c', messageId: 'id-a' })
  expect(await env.drive(one.forkedFrom('c'))).toBeUndefined()
  await expect(env.drive(one.fork('c', { from: 'none' }))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
  await expect(env.drive(one.fork('nothing'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(env.drive(one.fork('c', { form: 'x' } as never))).rejects.toThrow('form')
})

test('forks of forks share through at most 32 others', async () => {
  const { env, open, texts } = rig()
  const one = await open()
  await env.drive(one.saveMessages('f0', said('m0')))
  for (let i = 1; i <= 32; i++) {
    await env.drive(one.fork(`f${i - 1}`, { as: `f${i}` }))
    await env.drive(one.saveMessages(`f${i}`, said(`m${i}`)))
  }
  expect(await texts(one, 'f32')).toEqual(Array.from({ length: 33 }, (_, i) => `m${i}`))
  await expect(env.drive(one.fork('f32'))).rejects.toThrow('at most 32')
  // Behind a message that is shared from the beginning it stands no deeper than any.
  await env.drive(one.fork('f32', { from: 'm0' }).catch(() => one.fork('f32', { from: 'id-m0' })))
})

test('an erase is refused while forks have the messages, unless it is told what is to become of them', async () => {
  const { env, open, texts } = rig()
  const one = await open()
  for (const id of ['keep', 'gone']) {
    await env.drive(one.saveMessages(id, said('a', 'b')))
    await env.drive(one.fork(id, { as: `${id}-1` }))
    await env.drive(one.saveMessages(`${id}-1`, said('own')))
    await env.drive(one.fork(`${id}-1`, { as: `${id}-2` }))
  }
  // Its fork has what was in between, which is gone: the erase still finds it.
  await env.drive(one.clearHistory('gone-1'))
  await expect(env.drive(one.eraseConversation('gone'))).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('"gone-2"'),
  })
  await env.drive(one.eraseConversation('gone', { forks: 'erase' }))
  expect(await texts(one, 'gone-2')).toEqual([])
  await env.drive(one.eraseConversation('keep', { forks: 'keep' }))
  expect(await texts(one, 'keep')).toEqual([])
  expect(await texts(one, 'keep-1')).toEqual(['a', 'b', 'own'])
  expect(await texts(one, 'keep-2')).toEqual(['a', 'b', 'own'])
  expect(await env.drive(one.store.list('shared/0::gone'))).toEqual([])
  await env.drive(one.eraseTenant(''))
  for (const space of ['chat/', 'shared/', 'forks/', 'alternatives/']) {
    expect(await env.drive(one.store.list(space))).toEqual([])
  }
})

test('retention of a conversation leaves its forks what they share, and that of a fork takes it', async () => {
  const { env, open, texts } = rig()
  const [one, two] = [await open({ retention: { maxMessages: 2 } }), await open()]
  await env.drive(one.saveMessages('c', said('a', 'b', 'c', 'd')))
  await env.drive(one.fork('c', { from: 'id-c', as: 'f' }))
  await env.drive(one.fork('c', { from: 'id-b', as: 'g' }))
  await env.drive(one.saveMessages('g', said('e', 'f')))
  await env.drive(one.applyRetention())
  expect(await texts(two, 'c')).toEqual(['c', 'd'])
  expect(await texts(two, 'f')).toEqual(['b', 'c'])
  expect(await texts(two, 'g')).toEqual(['e', 'f'])
  expect(await env.drive(two.countMessages('g'))).toBe(2)
})

test('alternatives: the active one is shown, the others stay, edits go along, and a clear takes all', async () => {
  const { env, open, texts } = rig()
  const [one, two] = [await open(), await open()]
  await env.drive(one.saveMessages('c', said('q', 'first')))
  const add = (content: string, options = {}): ReturnType<ChatHistory['addAlternative']> =>
    one.addAlternative('c', 'id-first', { id: content, role: 'assistant', content }, options)
  await env.drive(add('second'))
  await env.drive(add('second'))
  expect(await texts(two, 'c')).toEqual(['q', 'second'])
  await env.drive(add('third', { choose: false }))
  expect(await texts(two, 'c')).toEqual(['q', 'second'])
  await env.drive(one.updateMessage('c', 'id-first', { role: 'assistant', content: 'second!' }))
  await env.drive(two.chooseAlternative('c', 'id-first', 'third'))
  expect(await texts(one, 'c')).toEqual(['q', 'third'])
  const { alternatives } = await env.drive(one.listAlternatives('c', 'id-first'))
  const told = alternatives.map(({ id, active, message }) => [id, active, message.content])
  expect(told).toEqual([
    ['id-first', false, 'first'],
    ['second', false, 'second!'],
    ['third', true, 'third'],
  ])
  await env.drive(two.chooseAlternative('c', 'id-first', 'id-first'))
  expect(await texts(one, 'c')).toEqual(['q', 'first'])
  await expect(env.drive(two.chooseAlternative('c', 'id-first', 'none'))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
  const both = [
    one.addAlternative('c', 'id-first', { role: 'assistant', content: 'x' }),
    two.addAlternative('c', 'id-first', { role: 'assistant', content: 'y' }),
  ]
  await env.drive(Promise.all(both))
  expect((await env.drive(one.listAlternatives('c', 'id-first'))).alternatives).toHaveLength(5)
  await env.drive(one.deleteMessage('c', 'id-first'))
  expect(await env.drive(one.store.countItems('alternatives/0::c'))).toMatchObject({ count: 0 })
  await env.drive(one.clearHistory('c'))
  await expect(env.drive(one.listAlternatives('c', 'id-first'))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
})

test('a message with the id and the looks of a marker is a message', async () => {
  const { env, open, texts } = rig()
  const one = await open()
  const message = { id: 'everthread/fork', role: 'user', content: 'x', everthread: 'fork' } as never
  await env.drive(one.saveMessages('c', [message]))
  await env.drive(one.saveMessages('c', said('b')))
  expect(await texts(one, 'c')).toEqual(['x', 'b'])
  expect(await env.drive(one.countMessages('c'))).toBe(2)
  await env.drive(one.fork('c', { as: 'f' }))
  expect(await texts(one, 'f')).toEqual(['x', 'b'])
})

test('a session token of a fork and of its pages holds in another process', async () => {
  const { env, open } = rig()
  const sessionSecret = 'a secret of sixteen bytes'
  const [one, two] = [await open({ sessionSecret }), await open({ sessionSecret })]
  await env.drive(one.saveMessages('c', said('a', 'b')))
  const { conversationId, session } = await env.drive(one.fork('c'))
  const page = await env.drive(two.getHistory(conversationId, { session: session! }))
  expect(page.messages).toHaveLength(2)
  expect(page.session).toBeDefined()
})

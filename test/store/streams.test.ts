// Goal: a message that is written as a stream is never lost, hidden, doubled or mixed up, whoever reads it:
// what was stored of it stays, and its status tells the truth.
import { expect, onTestFinished, test } from 'vitest'
import type { StreamDelta } from '../../src/chat/streams/step.ts'
import { MemoryBackend } from '../../src/core.ts'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { ASSISTANT, contents, leftBehind, streamRig } from '../support/stream-rig.ts'

test('a reader sees what was stored, and the whole message in the end', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  await one.saveMessage('c', { role: 'user', content: 'Hello?' })
  const stream = await one.startMessage('c', { ...ASSISTANT, metadata: { model: 'm' } })
  expect(await two.getMessage('c', stream.id)).toMatchObject({ content: '', status: 'in_progress' })
  await stream.append('Hel')
  await stream.append('lo')
  await stream.flush()
  const partial = { content: 'Hello', status: 'in_progress', metadata: { model: 'm' } }
  expect(await two.getMessage('c', stream.id)).toMatchObject(partial)
  await stream.append('!')
  expect(stream.message).toMatchObject({ id: stream.id, content: 'Hello!' })
  const receipt = await stream.finish()
  expect(receipt).toMatchObject({ id: stream.id, position: stream.receipt.position, durable: true })
  expect(await stream.finish()).toBe(receipt)
  expect(await stream.abort()).toBe(receipt)
  expect(await contents(two)).toEqual([
    ['Hello?', undefined],
    ['Hello!', 'completed'],
  ])
  const { createdAt } = (await two.getMessage('c', stream.id))!
  expect(createdAt).toBe(stream.message.createdAt)
  expect((await two.getHistory('c')).messages[1]).not.toHaveProperty('$stream')
  expect(await two.store.list('stream/')).toEqual([])
  await expect(stream.append('more')).rejects.toMatchObject({ code: 'CLOSED' })
})

test('deltas are stored by themselves some time after they came, many in one item', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  for (let i = 0; i < 500; i++) await stream.append('x')
  await expect.poll(async () => (await two.getMessage('c', 'm'))?.content).toBe('x'.repeat(500))
  expect((await two.store.countItems('stream/0::1:c:m')).count).toBe(1)
})

test('parts, tool calls and fields grow where they stand', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  const stream = await one.startMessage('c', ASSISTANT)
  const deltas: StreamDelta[] = [
    { at: ['content', 0], set: { type: 'reasoning', text: '' } },
    { at: ['content', 0, 'text'], append: 'Let me ' },
    { at: ['content', 0, 'text'], append: 'think.' },
    { at: ['content', 1], set: { type: 'text', text: 'It ' } },
    'is',
    ' so.',
    { at: ['toolCalls', 0], set: { id: 'call', function: { name: 'find', arguments: '' } } },
    { at: ['toolCalls', 0, 'function', 'arguments'], append: '{"q":' },
    { at: ['toolCalls', 0, 'function', 'arguments'], append: '1}' },
    { at: ['metadata', 'usage'], set: { tokens: 7 } },
  ]
  for (const delta of deltas) await stream.append(delta)
  const whole = {
    role: 'assistant',
    content: [
      { type: 'reasoning', text: 'Let me think.' },
      { type: 'text', text: 'It is so.' },
    ],
    toolCalls: [{ id: 'call', function: { name: 'find', arguments: '{"q":1}' } }],
    metadata: { usage: { tokens: 7 } },
  }
  await stream.flush()
  expect(await two.getMessage('c', stream.id)).toMatchObject(whole)
  await stream.setParts([{ type: 'text', text: 'All new.' }])
  await stream.append(' And more.')
  await stream.flush()
  const content = [{ type: 'text', text: 'All new. And more.' }]
  expect(await two.getMessage('c', stream.id)).toMatchObject({ ...whole, content })
  await stream.finish({ role: 'assistant', content: 'What the provider said in the end.' })
  const { id, status, ...found } = (await two.getMessage('c', stream.id))!
  expect([id, status]).toEqual([stream.id, 'completed'])
  expect(found).toEqual({
    role: 'assistant',
    content: 'What the provider said in the end.',
    createdAt: found.createdAt,
  })
})

test.each<[unknown, string]>([
  [7, 'delta must be text or an object with at, got 7'],
  [{ at: ['content'] }, 'delta.set must be JSON, got undefined'],
  [{ at: ['content'], append: 'a', set: 'b' }, 'delta must have append or set, not both'],
  [{ at: ['content'], append: 7 }, 'delta.append must be text, got 7'],
  [{ at: ['content'], append: 'a', of: 1 }, 'delta.of is not known'],
  [{ at: [], append: 'a' }, 'delta.at must be an array of 1 to 10 names'],
  [{ at: ['id'], set: 'a' }, 'delta.at must not begin with "id"'],
  [{ at: ['role'], set: 'user' }, 'delta.at must not begin with "role"'],
  [{ at: ['$stream'], set: {} }, 'delta.at must not begin with "$stream"'],
  [{ at: ['metadata', '__proto__', 'x'], set: 1 }, 'delta.at must have names and places'],
  [
    { at: ['content', 1], set: { type: 'text' } },
    'delta.at "[\\"content\\",1]" is not in the message',
  ],
  [{ at: ['content', 0], set: 'no part' }, 'delta.content[0] must be an object with a type'],
  [{ at: ['content', 0, 'text'], append: 'a' }, 'delta.content[0] must be an object with a type'],
  [{ at: ['name', 'first'], set: 'a' }, 'delta.name must be a string'],
  [{ at: ['createdAt'], set: 'now' }, 'delta.at must not begin with "createdAt"'],
  ['x'.repeat(10 * 1024 * 1024), 'delta must be at most 4194304 characters, got 10485760'],
  ['\0'.repeat(1024 * 1024), 'the message must be at most 4190208 bytes of JSON, got 62914'],
])('a delta that does not fit is refused, and changes nothing: %s', async (delta, message) => {
  const { open } = streamRig()
  const history = await open()
  const stream = await history.startMessage('c', ASSISTANT)
  const before = stream.message
  const refused = stream.append(delta as StreamDelta)
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  await expect(refused).rejects.toThrow(message)
  expect(stream.message).toEqual(before)
  await stream.append('fine')
  await stream.flush()
  expect(await history.getMessage('c', stream.id)).toMatchObject({ content: 'fine' })
})

test('a message that begins with parts has them, and no content beside them', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  const begun = { ...ASSISTANT, id: 'm', parts: [{ type: 'step-start' }] }
  const stream = await one.startMessage('c', begun)
  await stream.append({ at: ['parts', 1], set: { type: 'text', text: 'Hel' } })
  await stream.append({ at: ['parts', 1, 'text'], append: 'lo' })
  await stream.flush()
  const parts = [{ type: 'step-start' }, { type: 'text', text: 'Hello' }]
  const partial = await two.getMessage('c', 'm')
  expect(partial).toMatchObject({ parts, status: 'in_progress' })
  expect(partial).not.toHaveProperty('content')
})

test('characters in halves, NUL and nothing come back as they were', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  const whole = 'a😀\0 \ud800 ü'
  for (const unit of whole.split('')) {
    await stream.append(unit)
    await stream.append('')
    await stream.flush()
  }
  expect(await two.getMessage('c', 'm')).toMatchObject({ content: whole })
  const texts: string[] = []
  for await (const event of two.readStream({ conversationId: 'c', id: 'm' })) {
    if (event.type === 'delta') texts.push(...event.deltas.map(String))
    if (texts.join('') === whole) break
  }
  await stream.finish()
  expect(await two.getMessage('c', 'm')).toMatchObject({ content: whole })
})

test('a delta that is stored by itself ends with no half of a character', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  await stream.append('a\ud83d')
  await expect.poll(async () => (await two.getMessage('c', 'm'))?.content).toBe('a')
  await stream.append('\ude00')
  await expect.poll(async () => (await two.getMessage('c', 'm'))?.content).toBe('a😀')
})

test('a process follows what another one writes, from the beginning and behind a cursor', async () => {
  const { open } = streamRig()
  const [one, two, three] = [await open(), await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  const follow = async (history: ChatHistory, after = 0): Promise<unknown[]> => {
    const seen: unknown[] = []
    const options = { conversationId: 'c', id: 'm', after, pollMs: 10 }
    for await (const event of history.readStream(options)) {
      if (event.type === 'delta')
        seen.push([
          event.cursor,
          event.deltas.filter((delta) => typeof delta === 'string').join(''),
        ])
      else seen.push([event.message.content, event.message.status])
    }
    return seen
  }
  const following = [follow(two), follow(three), follow(two, 2)]
  for (const text of ['a', 'b', 'c']) {
    await stream.append(text)
    await stream.flush()
  }
  // Until they have it all: a delta that is removed with the end comes with the whole message.
  await new Promise((resolve) => setTimeout(resolve, 300))
  await stream.append('!')
  await stream.finish()
  const end = ['abc!', 'completed']
  const all = [[1, 'a'], [2, 'b'], [3, 'c'], end]
  expect(await Promise.all(following)).toEqual([all, all, [[3, 'c'], end]])
  expect(await follow(three, 3)).toEqual([end])
  await expect(follow(three)).resolves.toEqual([end])
  const none = two.readStream({ conversationId: 'c', id: 'none' }).next()
  await expect(none).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('following ends when the writer is dead, and goes on behind the cursor with the next one', async () => {
  const { open } = streamRig()
  const two = await open()
  await leftBehind(await open(), 'm', 'a')
  const options = { conversationId: 'c', id: 'm', pollMs: 10 }
  const first = []
  for await (const event of two.readStream(options)) first.push(event)
  expect(first).toMatchObject([
    { type: 'delta', cursor: 1, deltas: ['a'] },
    { type: 'end', message: { content: 'a', status: 'incomplete' } },
  ])
  const stream = await two.resumeMessage('c', 'm')
  const events = two.readStream({ ...options, after: 1 })
  await stream.append('b')
  const next = await events.next()
  expect(next.value).toMatchObject({ type: 'delta', deltas: ['b'] })
  const stop = new AbortController()
  stop.abort()
  expect(await two.readStream({ ...options, signal: stop.signal }).next()).toMatchObject({
    done: true,
  })
})

test.each(['delete', 'update', 'clear', 'erase', 'eraseTenant'] as const)(
  'deltas go with their message or conversation: %s',
  async (how) => {
    const { open } = streamRig()
    const [one, two] = [await open(), await open()]
    const other = await two.startMessage('c2', { ...ASSISTANT, id: 'other' })
    await other.append('kept')
    await other.flush()
    const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' }, { leaseMs: 3_000 })
    await stream.append('text')
    await stream.flush()
    if (how === 'delete') await two.deleteMessage('c', 'm')
    if (how === 'update') await two.updateMessage('c', 'm', { ...ASSISTANT, content: 'new' })
    if (how === 'clear') await two.clearHistory('c')
    if (how === 'erase') expect(await two.eraseConversation('c')).toMatchObject({ complete: true })
    if (how === 'eraseTenant') expect(await two.eraseTenant('')).toMatchObject({ complete: true })
    const left = how === 'eraseTenant' ? [] : ['stream/0::2:c2:other']
    expect(await two.store.list('stream/')).toEqual(left)
    expect(await contents(two)).toEqual(how === 'update' ? [['new', undefined]] : [])
    const code = how === 'update' ? 'CONFLICT' : 'NOT_FOUND'
    await expect
      .poll(
        () =>
          stream.append('').then(
            () => '',
            (error: { code: string }) => error.code,
          ),
        {
          timeout: 5_000,
        },
      )
      .toBe(code)
    await expect(stream.finish()).rejects.toMatchObject({ code, effect: 'none' })
    if (how !== 'update') expect(await contents(two)).toEqual([])
  },
)

test('retention takes the deltas of the messages that it takes', async () => {
  const { open } = streamRig()
  const history = await open({ retention: { maxMessages: 1 } })
  const stream = await history.startMessage('c', ASSISTANT)
  await stream.append('x')
  await stream.flush()
  await history.saveMessage('c', { role: 'user', content: 'kept' })
  expect((await history.applyRetention()).removed).toBe(1)
  expect(await history.store.list('stream/')).toEqual([])
})

test('a window has no message that is being written, and no tool call of half a one', async () => {
  const { open } = streamRig()
  await leftBehind(await open(), 'dead', 'Half an ', 'answer', {
    at: ['toolCalls', 0],
    set: { id: 'x', function: { name: 'f', arguments: '{"a' } },
  })
  const history = await open()
  await leftBehind(await open(), 'text', 'Only text')
  await history.saveMessage('c', { role: 'user', content: 'Go on' })
  const stream = await history.startMessage('c', { ...ASSISTANT, id: 'alive' })
  const call = { id: 'y', function: { name: 'f', arguments: '{' } }
  await stream.append({ at: ['toolCalls', 0], set: call })
  await stream.flush()
  const talking = await history.startMessage('c', { ...ASSISTANT, id: 'talking' })
  await talking.append('Half')
  await talking.flush()
  const window = await history.window('c', { maxMessages: 10 })
  expect(window.messages.map(({ content }) => content)).toEqual(['Only text', 'Go on'])
  expect(window.leftOut).toEqual(['dead', 'alive', 'talking'])
  const { toolCalls } = await history.findDanglingToolCalls('c')
  expect(toolCalls.map(({ toolCallId }) => toolCallId)).toEqual(['x'])
  expect(await history.closeToolCalls('c')).toMatchObject({
    closed: [],
    open: [{ toolCallId: 'x' }],
  })
  const aligned = await history.getHistory('c', { alignTurns: true })
  expect(aligned.messages.map(({ status }) => status)).toContain('in_progress')
})

test.each<[object, string]>([
  [{ role: 'user', content: 'x' }, 'message.role must be assistant'],
  [{ role: 'assistant', content: 7 }, 'message.content must be a string'],
  [{ role: 'assistant', id: '' }, 'message.id must not be empty'],
  [{ role: 'assistant', $stream: { w: 'x', l: 1 } }, 'message.$stream is the store'],
])('a message that cannot begin is refused before any effect: %s', async (message, why) => {
  const history = await streamRig().open()
  const started = history.startMessage('c', message as { role: 'assistant' })
  await expect(started).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  await expect(started).rejects.toThrow(why)
  expect(await contents(history)).toEqual([])
})

test('ids that make a key too long are refused, and no saved message takes the mark', async () => {
  const history = await openChatHistory({
    primary: new MemoryBackend(),
    backup: new MemoryBackend(),
    wal: 'memory:',
    tenant: 't'.repeat(256),
    logger: false,
  })
  onTestFinished(() => history.close())
  const message = { ...ASSISTANT, id: 'i'.repeat(256) }
  const started = history.startMessage('c'.repeat(512), message)
  await expect(started).rejects.toThrow('id must be at most 239 bytes here, got 256')
  const marked = { role: 'user', content: 'x', $stream: {} } as { role: 'user'; content: string }
  await expect(history.saveMessage('c', marked)).rejects.toThrow('message.$stream is the store')
})

test('a message that ends while it is read is shown whole', async () => {
  const { open, primary } = streamRig()
  const [one, two] = [await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  await stream.append('some')
  await stream.flush()
  await one.flush()
  let reads = 0
  // The page is read first, and the deltas then.
  primary.onCall(async (operation) => {
    if (operation === 'readItems' && ++reads === 2) await stream.finish()
  })
  expect(await contents(two)).toEqual([['some', 'completed']])
})

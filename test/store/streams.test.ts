// Goal: a message that is written as a stream is never lost, hidden, doubled or mixed up, whoever reads it and
// whoever writes it: what was stored of it stays, its status tells the truth, and one writer goes on.
import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryBackend } from '../../src/core.ts'
import type { ChatHistory, ChatHistoryOptions } from '../../src/index.ts'
import { openChatHistory } from '../../src/index.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import type { MessageStream } from '../../src/chat/streams/message-stream.ts'
import type { StreamDelta } from '../../src/chat/streams/step.ts'

const ASSISTANT = { role: 'assistant' } as const
const HEALTH = {
  type: 'circuit-breaker',
  config: { circuitOpenDuration: 100, healthCheckInterval: 50 },
} as const

interface Rig {
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  readonly open: (options?: ChatHistoryOptions) => Promise<ChatHistory>
}

/** Databases in memory that several stores share, and each way to them can be cut. */
function rig(): Rig {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const open = async (options: ChatHistoryOptions = {}): Promise<ChatHistory> => {
    const history = await openChatHistory({
      primary: shared(primary),
      backup: shared(backup),
      wal: 'memory:',
      health: HEALTH,
      logger: false,
      drainTimeout: 200,
      write: { type: 'idempotent', config: { timeout: 300, maxRetries: 0 } },
      ...options,
    })
    onTestFinished(() => history.close())
    return history
  }
  return { primary, backup, open }
}

/** A database that stays when one of its stores closes. */
function shared<Backend extends object>(backend: Backend): Backend {
  return new Proxy(backend, {
    get: (target, name) => (name === 'disconnect' ? async () => {} : Reflect.get(target, name)),
  })
}

/** A message of which so much was stored, whose writer has gone. */
async function leftBehind(
  history: ChatHistory,
  id: string,
  ...deltas: StreamDelta[]
): Promise<void> {
  const stream = await history.startMessage('c', { ...ASSISTANT, id })
  for (const delta of deltas) await stream.append(delta)
  await history.close()
}

async function contents(history: ChatHistory): Promise<readonly unknown[]> {
  const { messages } = await history.getHistory('c')
  return messages.map(({ content, status }) => [content, status])
}

test('a reader sees what was stored, and the whole message in the end', async () => {
  const { open } = rig()
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
  const { open } = rig()
  const [one, two] = [await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  for (let i = 0; i < 500; i++) await stream.append('x')
  await expect.poll(async () => (await two.getMessage('c', 'm'))?.content).toBe('x'.repeat(500))
  expect((await two.store.countItems('stream/0::1:c:m')).count).toBe(1)
})

test('parts, tool calls and fields grow where they stand', async () => {
  const { open } = rig()
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
  const { open } = rig()
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

test('characters in halves, NUL and nothing come back as they were', async () => {
  const { open } = rig()
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
  const { open } = rig()
  const [one, two] = [await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  await stream.append('a\ud83d')
  await expect.poll(async () => (await two.getMessage('c', 'm'))?.content).toBe('a')
  await stream.append('\ude00')
  await expect.poll(async () => (await two.getMessage('c', 'm'))?.content).toBe('a😀')
})

test('of two writers of one id the second is refused, in this process and in another', async () => {
  const { open } = rig()
  const [one, two] = [await open(), await open()]
  const message = { ...ASSISTANT, id: 'm' }
  const started = await Promise.allSettled([
    one.startMessage('c', message),
    two.startMessage('c', message),
    one.startMessage('c', message),
  ])
  expect(started.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  const reasons = started.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
  for (const reason of reasons) expect(reason).toMatchObject({ code: 'CONFLICT', effect: 'none' })
  for (const history of [one, two]) {
    await expect(history.resumeMessage('c', 'm')).rejects.toMatchObject({ code: 'CONFLICT' })
  }
  const [stream] = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  await stream!.finish({ role: 'assistant', content: 'whole' })
  for (const history of [one, two]) {
    await expect(history.startMessage('c', message)).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(history.resumeMessage('c', 'm')).rejects.toMatchObject({ code: 'CONFLICT' })
  }
  expect(await contents(two)).toEqual([['whole', 'completed']])
})

test('what a process leaves behind as it closes is incomplete, and another one goes on', async () => {
  const { open } = rig()
  const two = await open()
  await leftBehind(await open(), 'm', 'Hel', 'l')
  expect(await contents(two)).toEqual([['Hell', 'incomplete']])
  const stream = await two.resumeMessage('c', 'm')
  expect(stream.message).toMatchObject({ content: 'Hell' })
  await stream.append('o')
  await stream.flush()
  const three = await open()
  expect(await contents(three)).toEqual([['Hello', 'in_progress']])
  await two.close()
  const again = await three.resumeMessage('c', 'm')
  await again.append('!')
  await again.flush()
  expect(await contents(three)).toEqual([['Hello!', 'in_progress']])
  await again.finish()
  expect(await contents(three)).toEqual([['Hello!', 'completed']])
})

test('of several that go on with a message one does', async () => {
  const { open } = rig()
  await leftBehind(await open(), 'm', 'a')
  const histories = [await open(), await open(), await open()]
  const resumed = await Promise.allSettled(
    histories.map((history) => history.resumeMessage('c', 'm')),
  )
  const [first, ...more] = resumed.flatMap((each) => {
    return each.status === 'fulfilled' ? [each.value] : []
  })
  expect(more).toEqual([])
  await first!.append('b')
  await first!.finish()
  expect(await contents(histories[0]!)).toEqual([['ab', 'completed']])
})

test('a writer that was overtaken is told, and what it wrote since is not shown', async () => {
  const { open } = rig()
  const env = nodeEnv()
  let asleepMs = 0
  let isAsleep = false
  const held: (() => void)[] = []
  const one = await open({
    env: {
      ...env,
      // It does not count while the machine sleeps: the writer takes its lease for alive.
      monotonic: () => env.monotonic() - asleepMs,
      setTimer: (ms, run) => env.setTimer(ms, () => (isAsleep ? void held.push(run) : run())),
    },
  })
  const two = await open()
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' }, { leaseMs: 3_000 })
  await stream.append('old')
  await stream.flush()
  isAsleep = true
  const startedAt = env.monotonic()
  const takeOver = (): Promise<MessageStream | undefined> => {
    return two.resumeMessage('c', 'm').catch(() => undefined)
  }
  const found = await vi.waitUntil(takeOver, { timeout: 15_000, interval: 200 })
  const next = found!
  asleepMs = env.monotonic() - startedAt
  expect(asleepMs).toBeGreaterThan(4_500)
  isAsleep = false
  for (const run of held) run()
  await stream.append(' lost')
  await stream.flush().catch(() => {})
  await next.append(' new')
  await next.flush()
  expect(await contents(two)).toEqual([['old new', 'in_progress']])
  await expect
    .poll(
      () =>
        stream.append('.').then(
          () => 'taken',
          (error: { code: string }) => error.code,
        ),
      {
        timeout: 5_000,
      },
    )
    .toBe('CONFLICT')
  await expect(stream.finish()).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  await next.finish()
  expect(await contents(two)).toEqual([['old new', 'completed']])
}, 30_000)

test('a writer lives as long as it says so, also when nothing comes', async () => {
  const { open } = rig()
  const [one, two] = [await open(), await open()]
  await one.startMessage('c', { ...ASSISTANT, id: 'm' }, { leaseMs: 3_000 })
  const started = performance.now()
  await expect
    .poll(
      async () => {
        expect(await contents(two)).toEqual([['', 'in_progress']])
        return performance.now() - started
      },
      { timeout: 15_000, interval: 500 },
    )
    .toBeGreaterThan(6_000)
}, 20_000)

test('an outage of the primary in the middle goes by unnoticed', async () => {
  const { open, primary } = rig()
  const [one, two] = [await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  await stream.append('before ')
  await stream.flush()
  await one.flush()
  primary.setMode('refused')
  await stream.append('during ')
  await stream.flush()
  expect(await contents(two)).toEqual([['before during ', 'in_progress']])
  await expect(two.resumeMessage('c', 'm')).rejects.toMatchObject({ effect: 'none' })
  primary.setMode('up')
  await stream.append('after')
  await stream.flush()
  // Its own circuit of the primary may still be open, and the backup gets it later.
  await expect.poll(() => contents(two)).toEqual([['before during after', 'in_progress']])
  primary.setMode('hung')
  const receipt = await stream.finish()
  expect(receipt.copies).toContain('backup')
  primary.setMode('up')
  await expect.poll(() => contents(two)).toEqual([['before during after', 'completed']])
})

test('what cannot be stored is told by the next call, and stored once it can', async () => {
  const { open, primary, backup } = rig()
  const history = await open({
    write: { type: 'idempotent', config: { timeout: 100, maxRetries: 0, minCopies: 1 } },
  })
  const reader = await open()
  const stream = await history.startMessage('c', { ...ASSISTANT, id: 'm' })
  await stream.append('a')
  await stream.flush()
  primary.setMode('reset')
  backup.setMode('refused')
  await stream.append('b')
  const failed = { code: expect.stringMatching(/UNAVAILABLE|TIMEOUT/), effect: 'unknown' }
  await expect
    .poll(
      () =>
        stream.append('').then(
          () => 'fine',
          (error: unknown) => error,
        ),
      { timeout: 5_000 },
    )
    .toMatchObject(failed)
  await expect(stream.flush()).rejects.toMatchObject({ effect: expect.any(String) })
  primary.setMode('up')
  backup.setMode('up')
  await expect
    .poll(
      () =>
        stream
          .append('')
          .then(() => stream.flush())
          .then(() => 'fine', String),
      {
        timeout: 5_000,
      },
    )
    .toBe('fine')
  await stream.append('c')
  await stream.flush()
  await expect.poll(() => contents(reader)).toEqual([['abc', 'in_progress']])
  await stream.finish()
  await expect.poll(() => contents(reader)).toEqual([['abc', 'completed']])
})

test('an append waits while a million characters do', async () => {
  const { open, primary } = rig()
  const history = await open()
  const stream = await history.startMessage('c', ASSISTANT)
  let isStuck = true
  let release = (): void => {}
  const stuck = new Promise<void>((resolve) => (release = resolve))
  primary.onCall((operation) => (isStuck && operation === 'apply' ? stuck : undefined))
  let taken = 0
  const writing = (async () => {
    for (let i = 0; i < 40; i++) {
      await stream.append('x'.repeat(100_000))
      taken++
    }
  })().catch((error: unknown) => error)
  await expect.poll(() => taken).toBeGreaterThanOrEqual(10)
  expect(taken).toBeLessThan(40)
  isStuck = false
  release()
  await writing
  await stream.finish()
  const { content } = (await history.getMessage('c', stream.id))!
  expect((content as string).length).toBe(taken * 100_000)
})

test('a process follows what another one writes, from the beginning and behind a cursor', async () => {
  const { open } = rig()
  const [one, two, three] = [await open(), await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  const follow = async (history: ChatHistory, after = 0): Promise<unknown[]> => {
    const seen: unknown[] = []
    const options = { conversationId: 'c', id: 'm', after, pollMs: 10 }
    for await (const event of history.readStream(options)) {
      if (event.type === 'delta') seen.push([event.cursor, event.deltas.join('')])
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
  const { open } = rig()
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

test('a crash between the end of a message and the removal of its deltas hides nothing', async () => {
  const { open } = rig()
  const env = nodeEnv()
  const failpoints = {
    hit: (name: string) => {
      if (name === 'stream.beforeRemove') throw new Error('crash')
    },
  }
  const one = await open({ env: { ...env, failpoints } })
  const two = await open()
  const stream = await one.startMessage('c', ASSISTANT)
  await stream.append('abc')
  await stream.flush()
  await expect(stream.finish()).rejects.toThrow('crash')
  expect(await contents(two)).toEqual([['abc', 'completed']])
  expect(await two.store.list('stream/')).toHaveLength(1)
  const events = []
  const options = { conversationId: 'c', id: stream.id }
  for await (const event of two.readStream(options)) events.push(event)
  expect(events).toMatchObject([{ type: 'end', message: { content: 'abc' } }])
  expect(await two.repairStreams()).toEqual({ closed: 0, removed: 1, left: 0 })
  expect(await two.store.list('stream/')).toEqual([])
})

test('repairStreams ends what has been dead for long, and leaves what lives', async () => {
  const { open } = rig()
  await leftBehind(await open(), 'dead', 'half a')
  const one = await open()
  const alive = await one.startMessage('c', { ...ASSISTANT, id: 'alive' })
  await alive.append('x')
  await alive.flush()
  const two = await open()
  expect(await two.repairStreams()).toEqual({ closed: 0, removed: 0, left: 2 })
  expect(await two.repairStreams({ olderThanMs: 0 })).toEqual({ closed: 1, removed: 0, left: 1 })
  expect(await contents(two)).toEqual([
    ['half a', 'incomplete'],
    ['x', 'in_progress'],
  ])
  expect(await two.store.list('stream/')).toEqual(['stream/0::1:c:alive'])
  await expect(two.resumeMessage('c', 'dead')).rejects.toMatchObject({ code: 'CONFLICT' })
})

test.each(['delete', 'update', 'clear', 'erase', 'eraseTenant'] as const)(
  'deltas go with their message or conversation: %s',
  async (how) => {
    const { open } = rig()
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
  const { open } = rig()
  const history = await open({ retention: { maxMessages: 1 } })
  const stream = await history.startMessage('c', ASSISTANT)
  await stream.append('x')
  await stream.flush()
  await history.saveMessage('c', { role: 'user', content: 'kept' })
  expect((await history.applyRetention()).removed).toBe(1)
  expect(await history.store.list('stream/')).toEqual([])
})

test('a window has no message that is being written, and no tool call of half a one', async () => {
  const { open } = rig()
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
  const window = await history.window('c', { maxMessages: 10 })
  expect(window.messages.map(({ content }) => content)).toEqual(['Only text', 'Go on'])
  expect(window.leftOut).toEqual(['dead', 'alive'])
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
  const history = await rig().open()
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

// Goal: chats of the AI SDK lose nothing and hold nothing twice, whatever client, model and process do. Method: the
// SDK itself with its mock model, on databases in memory; a second history stands for another process.
import {
  convertToModelMessages,
  readUIMessageStream,
  streamText,
  stepCountIs,
  toUIMessageStream,
  tool,
  validateUIMessages,
  jsonSchema,
  type UIMessage,
  type UIMessageChunk,
} from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { describe, expect, test } from 'vitest'
import { streamRig } from '../../test/support/stream-rig.ts'
import { statuses, textsOf, user } from '../../test/support/ui-chats.ts'
import { EverthreadChats, type AnswerStream } from './ai-sdk.ts'

type ModelStream = Awaited<ReturnType<MockLanguageModelV4['doStream']>>['stream']
type ModelPart = ModelStream extends ReadableStream<infer Part> ? Part : never

const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
}

function finish(unified: 'stop' | 'tool-calls' = 'stop'): ModelPart {
  return { type: 'finish', finishReason: { unified, raw: undefined }, usage: USAGE }
}

function text(...deltas: string[]): ModelPart[] {
  const id = 't'
  return [
    { type: 'text-start', id },
    ...deltas.map((delta): ModelPart => ({ type: 'text-delta', id, delta })),
    { type: 'text-end', id },
  ]
}

/** A model that says this, one list a step, and goes on where it stops at a promise. */
function model(...steps: (ModelPart | Promise<void>)[][]): MockLanguageModelV4 {
  let step = 0
  return new MockLanguageModelV4({
    doStream: async ({ abortSignal }) => {
      const parts = steps[step++] ?? []
      const stream = new ReadableStream<ModelPart>({
        async start(controller) {
          abortSignal?.addEventListener('abort', () => controller.error(abortSignal.reason))
          for (const part of parts) {
            if (part instanceof Promise) await part
            else controller.enqueue(part)
          }
          controller.close()
        },
      })
      return { stream }
    },
  })
}

const tools = {
  weather: tool({
    inputSchema: jsonSchema<{ city: string }>({
      type: 'object',
      properties: { city: { type: 'string' } },
    }),
    execute: async () => 'rain',
    needsApproval: true,
  }),
}

/** A route as the documentation has it. */
async function answer(
  chats: EverthreadChats,
  messages: UIMessage[],
  said: MockLanguageModelV4,
  abortSignal?: AbortSignal,
): Promise<{ stream: ReadableStream<UIMessageChunk>; turn: AnswerStream }> {
  const turn = await chats.start({ chatId: 'c', messages })
  const result = streamText({
    model: said,
    tools,
    stopWhen: stepCountIs(3),
    messages: await convertToModelMessages(turn.messages, { tools }),
    ...(abortSignal && { abortSignal }),
    onError: () => {},
  })
  const chunks = toUIMessageStream({
    stream: result.stream,
    tools,
    originalMessages: turn.messages,
    generateMessageId: () => turn.id,
  })
  return { stream: turn.record(chunks), turn }
}

async function all<T>(stream: ReadableStream<T>): Promise<T[]> {
  const read: T[] = []
  for await (const each of stream) read.push(each)
  return read
}

/** What a client makes of chunks. */
async function shown(chunks: ReadableStream<UIMessageChunk>): Promise<UIMessage | undefined> {
  let last: UIMessage | undefined
  for await (const message of readUIMessageStream({ stream: chunks })) last = message
  return last
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

test('an answer is kept as the SDK has it, under the id that the client got', async () => {
  const history = await streamRig().open()
  const chats = new EverthreadChats(history)
  const { stream, turn } = await answer(
    chats,
    [user('u1', 'Hello')],
    model([...text('Hi', ' there'), finish()]),
  )
  const [one, two] = stream.tee()
  const [chunks, seen] = await Promise.all([all(one), shown(two)])
  expect(chunks[0]).toEqual({ type: 'start', messageId: turn.id })
  expect(await chats.loadChat('c')).toEqual([user('u1', 'Hello'), seen])
  expect(seen).toMatchObject({
    id: turn.id,
    parts: [{ type: 'step-start' }, { text: 'Hi there', state: 'done' }],
  })
  expect(await statuses(history)).toEqual([
    ['u1', undefined],
    [turn.id, 'completed'],
  ])
  await validateUIMessages({ messages: await chats.loadChat('c') })
})

test('a client that goes away leaves the answer to come to its end', async () => {
  const history = await streamRig().open()
  const chats = new EverthreadChats(history)
  const { opened, open } = gate()
  const said = model([...text('Hi').slice(0, 2), opened, ...text(' there').slice(1), finish()])
  const { stream } = await answer(chats, [user('u1', 'Hello')], said)
  const reader = stream.getReader()
  await reader.read()
  await reader.cancel()
  open()
  await expect
    .poll(() => textsOf(chats))
    .toEqual(['user: Hello', 'assistant: <step-start>Hi there'])
  await expect
    .poll(async () => (await statuses(history))[1])
    .toEqual([expect.any(String), 'completed'])
})

test('what came before an abort is kept, says so, and does not break the next turn', async () => {
  const history = await streamRig().open()
  const chats = new EverthreadChats(history)
  const never = new Promise<void>(() => {})
  const abort = new AbortController()
  const call: ModelPart[] = [
    ...text('Let me look.'),
    { type: 'tool-input-start', id: 'k1', toolName: 'weather' },
    { type: 'tool-input-delta', id: 'k1', delta: '{"city":"Os' },
  ]
  const { stream } = await answer(
    chats,
    [user('u1', 'Hello')],
    model([...call, never]),
    abort.signal,
  )
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (value.type === 'tool-input-delta') abort.abort()
  }
  const [, [, status]] = (await statuses(history)) as [unknown, [string, string]]
  expect(status).toBe('incomplete')
  const loaded = await chats.loadChat('c')
  expect(loaded[1]?.parts.at(-1)).toMatchObject({
    state: 'input-streaming',
    rawInput: '{"city":"Os',
  })

  const next = model([...text('Yes'), finish()])
  await all((await answer(chats, [...loaded, user('u2', 'Still there?')], next)).stream)
  expect(JSON.stringify(next.doStreamCalls[0]?.prompt)).not.toContain('tool-call')
  expect(await textsOf(chats)).toHaveLength(4)
})

test('another process shows what comes, and a crash keeps what had come', async () => {
  const { open: openHistory } = streamRig()
  const history = await openHistory()
  const chats = new EverthreadChats(history)
  const other = new EverthreadChats(await openHistory(), { pollMs: 10 })
  expect(await other.resume('c')).toBe(null)

  const { opened, open } = gate()
  const said = model([...text('Hi').slice(0, 2), opened, ...text(' there').slice(1), finish()])
  const { stream, turn } = await answer(chats, [user('u1', 'Hello')], said)
  const done = all(stream)
  await expect.poll(() => textsOf(other)).toEqual(['user: Hello', 'assistant: <step-start>Hi'])
  const resumed = await other.resume('c')
  const seen = shown(resumed!)
  open()
  await done
  expect(await seen).toEqual((await chats.loadChat('c'))[1])
  expect((await other.loadChat('c')).map(({ id }) => id)).toEqual(['u1', turn.id])
  expect(await other.resume('c')).toBe(null)

  const cut = model([...text('Well').slice(0, 2), new Promise(() => {})])
  const second = await answer(chats, [...(await chats.loadChat('c')), user('u2', 'And?')], cut)
  void all(second.stream).catch(() => {})
  await expect.poll(async () => (await textsOf(other)).at(-1)).toBe('assistant: <step-start>Well')
  const chunks = all((await other.resume('c'))!)
  await history.close()
  expect((await chunks).at(-1)).toEqual({ type: 'abort' })
  expect((await textsOf(other)).at(-1)).toBe('assistant: <step-start>Well')
  const next = model([...text('Sorry'), finish()])
  await all((await answer(other, [...(await other.loadChat('c')), user('u3', '?')], next)).stream)
  expect(await textsOf(other)).toHaveLength(6)
})

test('stopping by another process stops the model', async () => {
  const { open: openHistory } = streamRig()
  const chats = new EverthreadChats(await openHistory(), { leaseMs: 3_000 })
  const other = new EverthreadChats(await openHistory())
  expect(await other.stop('c')).toBe(false)
  const turn = await chats.start({ chatId: 'c', messages: [user('u1', 'Hello')] })
  await turn.append({ type: 'text-start', id: 't' })
  await turn.append({ type: 'text-delta', id: 't', delta: 'Hi' })
  await expect.poll(() => textsOf(other)).toEqual(['user: Hello', 'assistant: Hi'])
  expect(await other.stop('c')).toBe(true)
  const more = { type: 'text-delta', id: 't', delta: '!' } as const
  const refusal = (): Promise<unknown> => turn.append(more).catch((error: unknown) => error)
  await expect.poll(refusal, { timeout: 5_000 }).toMatchObject({ code: 'CONFLICT' })
  expect(turn.signal.aborted).toBe(true)
  expect(await textsOf(other)).toEqual(['user: Hello', 'assistant: Hi'])
})

test('an answer that ends within a part is not whole, and its open call gets an error', async () => {
  const history = await streamRig().open()
  const chats = new EverthreadChats(history)
  const turn = await chats.start({ chatId: 'c', messages: [user('u1', 'Hello')] })
  const call = { toolCallId: 'k1', toolName: 'weather', input: { city: 'Oslo' } }
  await turn.append({ type: 'tool-input-available', ...call })
  await turn.append({ type: 'text-start', id: 't' })
  await turn.append({ type: 'text-delta', id: 't', delta: 'Hi' })
  await turn.end()
  expect((await statuses(history))[1]).toEqual([turn.id, 'incomplete'])
  const loaded = await chats.loadChat('c')
  expect(loaded[1]?.parts[0]).toMatchObject({ state: 'output-error', input: call.input })
  const sent = JSON.stringify(await convertToModelMessages(loaded, { tools }))
  expect(sent.match(/"tool-(?:call|result)"/g)).toEqual(['"tool-call"', '"tool-result"'])
  const { messages } = await history.getHistory('c')
  expect(messages[1]).toMatchObject({ parts: [{ state: 'input-available' }, {}] })
})

test('no answer goes on with one that is being written', async () => {
  const chats = new EverthreadChats(await streamRig().open())
  const turn = await chats.start({ chatId: 'c', messages: [user('u1', 'Hello')] })
  const messages = await chats.loadChat('c')
  await expect(chats.start({ chatId: 'c', messages })).rejects.toMatchObject({ code: 'CONFLICT' })
  await turn.end()
  expect((await chats.start({ chatId: 'c', messages })).id).toBe(turn.id)
})

test('an answer that becomes too large is kept as far as it fits, and says so', async () => {
  const history = await streamRig().open()
  const chats = new EverthreadChats(history)
  const large = 'x'.repeat(5 * 1024 * 1024)
  const said = model([...text('Hi'), ...text(large), finish()])
  const { stream, turn } = await answer(chats, [user('u1', 'Hello')], said)
  await expect(all(stream)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(turn.signal.aborted).toBe(true)
  expect((await statuses(history))[1]).toEqual([turn.id, 'incomplete'])
  expect((await textsOf(chats))[1]).toBe('assistant: <step-start>Hi')
})

describe('a call that needs approval', () => {
  const call: ModelPart[] = [
    { type: 'tool-call', toolCallId: 'k1', toolName: 'weather', input: '{"city":"Oslo"}' },
    finish('tool-calls'),
  ]

  async function asked(chats: EverthreadChats): Promise<UIMessage[]> {
    await all((await answer(chats, [user('u1', 'Weather?')], model(call))).stream)
    const loaded = await chats.loadChat('c')
    const part = loaded[1]!.parts.at(-1) as { state: string; approval: { id: string } }
    expect(part.state).toBe('approval-requested')
    const approval = { id: part.approval.id, approved: true }
    const approved = { ...part, state: 'approval-responded', approval }
    return [
      loaded[0]!,
      { ...loaded[1]!, parts: [...loaded[1]!.parts.slice(0, -1), approved as never] },
    ]
  }

  test('goes on in the same message', async () => {
    const history = await streamRig().open()
    const chats = new EverthreadChats(history)
    const messages = await asked(chats)
    const { stream, turn } = await answer(chats, messages, model([...text('It rains.'), finish()]))
    await all(stream)
    const loaded = await chats.loadChat('c')
    expect(loaded.map(({ id }) => id)).toEqual(['u1', turn.id])
    expect(turn.id).toBe(messages[1]!.id)
    expect(loaded[1]!.parts).toMatchObject([
      { type: 'step-start' },
      { type: 'tool-weather', state: 'output-available', output: 'rain' },
      { type: 'step-start' },
      { type: 'text', text: 'It rains.' },
    ])
    expect(await statuses(history)).toEqual([
      ['u1', undefined],
      [turn.id, 'completed'],
    ])
  })

  test('that is answered twice has the later answer, once', async () => {
    const { open: openHistory } = streamRig()
    const history = await openHistory()
    const chats = new EverthreadChats(history)
    const messages = await asked(chats)
    const dead = await openHistory()
    const first = await new EverthreadChats(dead).start({ chatId: 'c', messages })
    await first.append({ type: 'text-start', id: 't' })
    await dead.close()
    await all((await answer(chats, messages, model([...text('It rains.'), finish()]))).stream)
    const said = 'assistant: <step-start><tool-weather><step-start>It rains.'
    expect(await textsOf(chats)).toEqual(['user: Weather?', said])
    expect(await statuses(history)).toHaveLength(2)
  })

  test('keeps what its tool did when the process dies, also for others that follow', async () => {
    const { open: openHistory } = streamRig()
    const history = await openHistory()
    const chats = new EverthreadChats(history)
    const otherHistory = await openHistory()
    const other = new EverthreadChats(otherHistory, { pollMs: 10 })
    const messages = await asked(chats)
    const cut = model([...text('It').slice(0, 2), new Promise(() => {})])
    const { stream, turn } = await answer(chats, messages, cut)
    void all(stream).catch(() => {})
    const partial = 'assistant: <step-start><tool-weather><step-start>It'
    await expect.poll(async () => (await textsOf(other)).at(-1)).toBe(partial)
    const seen = shown((await other.resume('c'))!)
    await history.close()
    const kept = await seen
    expect(kept?.id).toBe(turn.id)
    expect(kept?.parts).toMatchObject([{}, { state: 'output-available' }, {}, { text: 'It' }])
    expect(await textsOf(other)).toEqual(['user: Weather?', partial])
    await other.saveChat({ chatId: 'c', messages: [user('u2', 'And?')] })
    expect(await statuses(otherHistory)).toEqual([
      ['u1', undefined],
      [turn.id, 'incomplete'],
      ['u2', undefined],
    ])
    expect(await textsOf(other)).toEqual(['user: Weather?', partial, 'user: And?'])
  })
})

describe('saveChat', () => {
  test('in the onEnd of a client that left keeps the half answer, as one', async () => {
    const history = await streamRig().open()
    const chats = new EverthreadChats(history)
    const result = streamText({
      model: model([...text('Hi').slice(0, 2), new Promise(() => {})]),
      prompt: 'Hello',
    })
    const { opened, open } = gate()
    const stream = toUIMessageStream({
      stream: result.stream,
      originalMessages: [user('u1', 'Hello')],
      onEnd: async ({ messages, isAborted }) => {
        expect([isAborted, messages.at(-1)?.id]).toEqual([false, ''])
        const saved = await chats.saveChat({ chatId: 'c', messages })
        expect(saved.at(-1)?.id).not.toBe('')
        open()
      },
    })
    const reader = stream.getReader()
    for (let chunk = await reader.read(); chunk.value?.type !== 'text-delta';)
      chunk = await reader.read()
    await reader.cancel()
    await opened
    expect(await textsOf(chats)).toEqual(['user: Hello', 'assistant: <step-start>Hi'])
    expect((await statuses(history))[1]).toEqual([expect.any(String), 'incomplete'])
  })
})

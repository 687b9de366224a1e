// Goal: what a converter makes is what the provider takes, whatever shape was stored. Method: random chats
// are written in each shape and converted to each other one; what comes out is judged by the rules that the
// providers document, and by the AI SDK itself. No word of the chat may be missing without a note.
import { convertToModelMessages, validateUIMessages, type UIMessage as SdkMessage } from 'ai'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AnthropicMessage } from '../providers/anthropic.ts'
import type { GeminiContent } from '../providers/gemini.ts'
import type { OpenAIMessage } from '../providers/openai.ts'
import type { ResponsesItem } from '../providers/responses.ts'
import type { UIMessage } from '../providers/ui.ts'
import {
  answered,
  chat,
  SHAPES,
  stored,
  wordsOf,
  type Event,
} from '../../../test/support/provider-chats.ts'
import { toAnthropic } from './to-anthropic.ts'
import { toGemini } from './to-gemini.ts'
import { toOpenAI } from './to-openai.ts'
import { toResponses } from './to-responses.ts'
import { toUIMessages } from './to-ui-messages.ts'

const SHAPE_NAMES = Object.keys(SHAPES)

function forAll(
  check: (events: Event[], messages: object[]) => void | Promise<void>,
): Promise<void> {
  return fc.assert(
    fc.asyncProperty(chat, fc.constantFrom(...SHAPE_NAMES), async (events, shape) => {
      await check(events, stored(SHAPES[shape]!(events)))
    }),
    { numRuns: 500 },
  )
}

/** What OpenAI refuses a request of Chat Completions for. */
function openAiWords(messages: readonly OpenAIMessage[]): string[] {
  const words: string[] = []
  let open: string[] = []
  for (const message of messages) {
    if (message.role !== 'tool' && open.length > 0) throw new Error(`no result of ${open.join()}`)
    const { content } = message
    if (message.role === 'tool') {
      if (!open.includes(message.tool_call_id))
        throw new Error(`no call of ${message.tool_call_id}`)
      open = open.filter((id) => id !== message.tool_call_id)
      words.push(`result:${textsOf(content).join('')}`)
      continue
    }
    words.push(...textsOf(content ?? []).map((text) => `${message.role}:${text}`))
    if (message.role !== 'assistant') continue
    for (const each of message.tool_calls ?? []) {
      if (each.type !== 'function') throw new Error('not a function')
      open.push(each.id)
      words.push(`call:${each.function.name}:${each.function.arguments}`)
    }
    if (content === null && open.length === 0) throw new Error('an empty message')
  }
  if (open.length > 0) throw new Error(`no result of ${open.join()}`)
  return words
}

/** What Anthropic refuses a request for. */
function anthropicWords(messages: readonly AnthropicMessage[]): string[] {
  const words: string[] = []
  const ids = new Set<string>()
  let open: string[] = []
  messages.forEach(({ role, content }, i) => {
    if (role !== (i % 2 === 0 ? 'user' : 'assistant')) throw new Error(`message ${i} is of ${role}`)
    if (content.length === 0) throw new Error('an empty message')
    let hasText = false
    for (const block of typeof content === 'string' ? [] : content) {
      if (block.type === 'tool_result') {
        const result = block as { tool_use_id: string; content: string }
        if (hasText) throw new Error('a result behind a text')
        if (!open.includes(result.tool_use_id)) throw new Error(`no call of ${result.tool_use_id}`)
        open = open.filter((id) => id !== result.tool_use_id)
        words.push(`result:${outputOf(result.content)}`)
        continue
      }
      if (open.length > 0 && role === 'user') throw new Error(`no result of ${open.join()}`)
      if (block.type === 'text') {
        const { text } = block as { text: string }
        if (text === '') throw new Error('an empty text')
        hasText = true
        words.push(`${role}:${text}`)
      } else if (block.type === 'tool_use') {
        const use = block as { id: string; name: string; input: object }
        if (ids.has(use.id) || !/^[\w-]+$/.test(use.id)) throw new Error(`the id ${use.id}`)
        ids.add(use.id)
        open.push(use.id)
        words.push(`call:${use.name}:${JSON.stringify(use.input)}`)
      }
    }
  })
  if (open.length > 0) throw new Error(`no result of ${open.join()}`)
  return words
}

/** What Gemini refuses a request for: responses stand alone, right behind as many calls. */
function geminiWords(contents: readonly GeminiContent[]): string[] {
  const words: string[] = []
  let open: (string | undefined)[] = []
  contents.forEach(({ role, parts }, i) => {
    if (i === 0 && role !== 'user') throw new Error('a model begins')
    if (parts.length === 0) throw new Error('an empty content')
    const answers = parts.flatMap(({ functionResponse }) => functionResponse ?? [])
    if (answers.length > 0 && answers.length < parts.length) throw new Error('answers and words')
    if (answers.length !== open.length) throw new Error('as many answers as calls')
    answers.forEach(({ name, response }, at) => {
      if (name !== open[at]) throw new Error(`no call of ${name}`)
      words.push(`result:${response?.['output'] as string}`)
    })
    const calls = parts.flatMap(({ functionCall }) => functionCall ?? [])
    open = calls.map(({ name }) => name)
    for (const { text, functionCall } of parts) {
      if (text === '') throw new Error('an empty text')
      if (text !== undefined) words.push(`${role === 'model' ? 'assistant' : role}:${text}`)
      if (functionCall === undefined) continue
      words.push(`call:${functionCall.name}:${JSON.stringify(functionCall.args)}`)
    }
  })
  if (open.length > 0) throw new Error('calls without answers')
  return words
}

/** What OpenAI refuses the input of a response for. */
function responsesWords(input: readonly ResponsesItem[]): string[] {
  const words: string[] = []
  const open: string[] = []
  input.forEach((item, i) => {
    const fields = item as { [field: string]: unknown }
    if ('createdAt' in item || String(fields['id']).startsWith('id-')) throw new Error('ours')
    if (item.type === 'reasoning') {
      const next = input[i + 1] as { type: string; role?: string } | undefined
      const isLed = next?.role === 'assistant' || next?.type === 'function_call'
      if (!isLed) throw new Error('reasoning that leads to nothing')
    } else if (item.type === 'function_call') {
      const { call_id, name, arguments: text } = fields
      open.push(call_id as string)
      words.push(`call:${name as string}:${text as string}`)
    } else if (item.type === 'function_call_output') {
      const at = open.indexOf(fields['call_id'] as string)
      if (at === -1) throw new Error('a result without its call')
      open.splice(at, 1)
      words.push(`result:${outputOf(fields['output'] as string)}`)
    } else {
      words.push(...textsOf(fields['content']).map((text) => `${fields['role'] as string}:${text}`))
    }
  })
  if (open.length > 0) throw new Error(`no result of ${open.join()}`)
  return words
}

function textsOf(content: unknown): string[] {
  if (typeof content === 'string') return content.split('\n\n').map(outputOf)
  return (content as { text: string }[]).map(({ text }) => text)
}

/** Gemini answers with an object. */
function outputOf(text: string): string {
  return text.startsWith('{"output":') ? (JSON.parse(text) as { output: string }).output : text
}

function splitByRole(words: readonly string[]): string[] {
  return words.filter((each) => !each.startsWith('system:'))
}

test('OpenAI takes what is made of any shape, and no word is missing', () =>
  forAll((events, messages) => {
    const { messages: made, notes } = toOpenAI(messages)
    expect(openAiWords(made)).toEqual(wordsOf(events))
    expect(notes.filter(({ what }) => /no result/.test(what))).toHaveLength(
      events.flatMap((each) => (each.role === 'assistant' ? each.calls : [])).length -
        events.flatMap((each) => (each.role === 'assistant' ? answered(each) : [])).length,
    )
  }))

test('Anthropic takes what is made of any shape; only what stands before the first user is missing', () =>
  forAll((events, messages) => {
    const { system = [], messages: made, notes } = toAnthropic(messages)
    const first = events.findIndex(({ role }) => role === 'user')
    const body = first === -1 ? [] : events.slice(first)
    expect(anthropicWords(made)).toEqual(splitByRole(wordsOf(body)))
    const instructions = events.filter(({ role }) => role === 'system')
    expect(system.map(({ text }) => text)).toEqual(instructions.map(({ text }) => text))
    const isCut = splitByRole(wordsOf(events)).length > splitByRole(wordsOf(body)).length
    if (isCut) expect(notes.some(({ what }) => what.includes('a user must begin'))).toBe(true)
  }))

test('Gemini takes what is made of any shape; only what stands before the first user is missing', () =>
  forAll((events, messages) => {
    const { systemInstruction, contents } = toGemini(messages)
    const first = events.findIndex(({ role }) => role === 'user')
    const body = first === -1 ? [] : events.slice(first)
    expect(geminiWords(contents)).toEqual(splitByRole(wordsOf(body)))
    const instructions = events.filter(({ role }) => role === 'system')
    expect((systemInstruction?.parts ?? []).map(({ text }) => text)).toEqual(
      instructions.map(({ text }) => text),
    )
  }))

test('contents of Gemini go as they came, with signatures, and what is no object becomes one', () => {
  const contents: GeminiContent[] = [
    {
      role: 'user',
      parts: [{ text: 'a' }, { inlineData: { mimeType: 'image/png', data: 'eA==' } }],
    },
    {
      role: 'model',
      parts: [
        { text: 'hm', thought: true },
        { functionCall: { name: 'f', args: { x: 1 } }, thoughtSignature: 's' },
      ],
    },
    { role: 'user', parts: [{ functionResponse: { name: 'f', response: { y: 2 } } }] },
  ]
  expect(toGemini(stored(contents))).toEqual({ contents, notes: [] })
  const tool_calls = [{ id: 'c', type: 'function', function: { name: 'f', arguments: '[1]' } }]
  const made = toGemini(
    stored([
      { role: 'user', content: 'a' },
      { role: 'assistant', content: null, tool_calls },
      { role: 'tool', tool_call_id: 'c', content: 'r' },
    ]),
  )
  expect(made.contents.slice(1)).toEqual([
    { role: 'model', parts: [{ functionCall: { id: 'c', name: 'f', args: { arguments: [1] } } }] },
    {
      role: 'user',
      parts: [{ functionResponse: { id: 'c', name: 'f', response: { output: 'r' } } }],
    },
  ])
  expect(made.notes).toMatchObject([{ messageId: 'id-1' }])
})

test('OpenAI’s Responses take what is made of any shape, and no word is missing', () =>
  forAll((events, messages) => {
    expect(responsesWords(toResponses(messages).input)).toEqual(wordsOf(events))
  }))

test('the AI SDK takes what is made of any shape, and makes a request of it', () =>
  forAll(async (events, messages) => {
    const { messages: made } = toUIMessages(messages)
    if (made.length === 0) return
    // What it is called does not matter: names of ours are checked here, not by the compiler.
    const checked = await validateUIMessages<SdkMessage>({ messages: made })
    const said = await convertToModelMessages(checked, { ignoreIncompleteToolCalls: true })
    const words = said.flatMap(({ role, content }) =>
      (typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content).flatMap(
        (part) => {
          if (part.type === 'text') return [`${role}:${part.text}`]
          if (part.type === 'tool-call')
            return [`call:${part.toolName}:${JSON.stringify(part.input)}`]
          if (part.type !== 'tool-result') return []
          const value = (part.output as { value: unknown }).value
          return [
            `result:${typeof value === 'string' ? value : (value as { output: string }).output}`,
          ]
        },
      ),
    )
    expect(words).toEqual(wordsOf(events))
  }))

describe('what is in the shape that is wanted goes as it came', () => {
  test('blocks of Anthropic with their signatures and marks', () => {
    const messages = [
      {
        role: 'user',
        content: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral' } }],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 's' },
          { type: 'redacted_thinking', data: 'x' },
          { type: 'server_tool_use', id: 'srv', name: 'web_search', input: {} },
          { type: 'web_search_tool_result', tool_use_id: 'srv', content: [] },
          { type: 'tool_use', id: 't', name: 'f', input: { a: 1 } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 'r' }] },
        ],
      },
    ]
    expect(toAnthropic(stored(messages))).toEqual({ messages, notes: [] })
  })

  test('items of Responses, with their ids and annotations', () => {
    const input = [
      { id: 'msg_1', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'a' }] },
      {
        id: 'rs_1',
        type: 'reasoning',
        summary: [{ type: 'summary_text', text: 'hm' }],
        encrypted_content: 'e',
      },
      { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { type: 'search' } },
      { id: 'fc_1', type: 'function_call', call_id: 'c', name: 'f', arguments: '{"a": 1}' },
      { type: 'function_call_output', call_id: 'c', output: [{ type: 'input_text', text: 'r' }] },
      {
        id: 'msg_2',
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'b', annotations: [{ type: 'url_citation' }] }],
      },
    ]
    expect(toResponses(stored(input))).toEqual({ input, notes: [] })
  })

  test('UI messages, whatever is in them', () => {
    const messages = [
      { id: 'u', role: 'assistant', metadata: { a: 1 }, parts: [{ type: 'data-x', data: [1] }] },
    ]
    expect(toUIMessages(stored(messages))).toEqual({ messages, notes: [] })
  })

  test('arguments of OpenAI to the letter, also those that are no JSON', () => {
    const tool_calls = [
      { id: 'c', type: 'function', function: { name: 'f', arguments: '{ "a" : 1' } },
    ]
    const messages = [
      { role: 'assistant', content: null, tool_calls },
      { role: 'tool', tool_call_id: 'c', content: 'r' },
    ]
    expect(toOpenAI(stored(messages))).toEqual({ messages, notes: [] })
    const { messages: made, notes } = toAnthropic(
      stored([{ role: 'user', content: 'a' }, ...messages]),
    )
    expect(made[1]!.content).toMatchObject([
      { type: 'tool_use', input: { arguments: '{ "a" : 1' } },
    ])
    expect(notes).toMatchObject([{ messageId: 'id-1' }])
  })
})

test('a `UIMessage` of the AI SDK is one of ours, and one of ours is one of the AI SDK', () => {
  const ours = (message: SdkMessage): UIMessage => message
  const theirs = (message: UIMessage): SdkMessage => message
  const message: UIMessage = { id: 'a', role: 'user', parts: [{ type: 'text', text: 'x' }] }
  expect(ours(theirs(message))).toBe(message)
})

describe('pictures and files', () => {
  const png = 'data:image/png;base64,iVBORw0='
  const IMAGES = {
    openai: { type: 'image_url', image_url: { url: png } },
    responses: { type: 'input_image', image_url: png, detail: 'auto' },
    anthropic: {
      type: 'image',
      source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0=' },
    },
    ui: { type: 'file', mediaType: 'image/png', url: png },
  }
  const gemini = {
    role: 'user',
    parts: [{ inlineData: { mimeType: 'image/png', data: 'iVBORw0=' } }],
  }
  const inputs = [
    ...Object.values(IMAGES).map((part) => ({ role: 'user', content: [part] })),
    { role: 'user', parts: [IMAGES.ui] },
    { role: 'user', content: [{ type: 'image', image: 'iVBORw0=', mediaType: 'image/png' }] },
    gemini,
  ]

  test.each(inputs)('a picture is the same picture everywhere: %j', (message) => {
    const messages = stored([message])
    const notes: unknown[] = []
    expect(toOpenAI(messages)).toEqual({
      messages: [{ role: 'user', content: [IMAGES.openai] }],
      notes,
    })
    expect(toAnthropic(messages)).toEqual({
      messages: [{ role: 'user', content: [IMAGES.anthropic] }],
      notes,
    })
    expect(toResponses(messages).input).toMatchObject([
      { role: 'user', content: [IMAGES.responses] },
    ])
    expect(toUIMessages(messages).messages).toMatchObject([{ role: 'user', parts: [IMAGES.ui] }])
  })

  test('what a provider has no word for is left out and named', () => {
    const audio = { type: 'input_audio', input_audio: { data: 'UklG', format: 'wav' } }
    const messages = stored([{ role: 'user', content: [{ type: 'text', text: 'a' }, audio] }])
    expect(toAnthropic(messages)).toEqual({
      messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }] }],
      notes: [{ messageId: 'id-0', what: 'a part with a sound was left out' }],
    })
  })
})

test('a result that came late stands behind its call, and one of `closeToolCalls` makes way', () => {
  const messages = [
    { id: '0', role: 'user', content: 'a' },
    { id: '1', role: 'assistant', content: null, toolCalls: [{ id: 'c', name: 'f', args: {} }] },
    {
      id: '2',
      role: 'tool',
      toolCallId: 'c',
      content: 'interrupted',
      metadata: { toolError: 'interrupted' },
    },
    { id: '3', role: 'user', content: 'b' },
    { id: '4', role: 'tool', toolCallId: 'c', content: 'late' },
    { id: '5', role: 'tool', toolCallId: 'gone', content: 'lost' },
  ]
  const { messages: made, notes } = toOpenAI(messages)
  expect(openAiWords(made)).toEqual(['user:a', 'call:f:{}', 'result:late', 'user:b'])
  expect(notes).toEqual([
    { messageId: '5', what: 'the result of "gone" was left out: its call is not there' },
  ])
})

test('what an item of nobody’s shape says is left out and named', () => {
  const messages = stored([{ type: 'note', text: 'x' }])
  for (const { notes } of [
    toOpenAI(messages),
    toAnthropic([{ role: 'user', content: 'a' }, ...messages]),
    toResponses(messages),
    toUIMessages(messages),
  ]) {
    expect(notes).toEqual([{ messageId: 'id-0', what: 'a part of the type "note" was left out' }])
  }
})

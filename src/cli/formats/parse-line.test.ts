import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openLines } from '../input/open-lines.ts'
import type { ImportFormat } from './format.ts'
import { CONVERSATION_MESSAGES_MAX } from './translate.ts'
import {
  CONVERSATION_DEPTH_MAX,
  CONVERSATION_OBJECTS_MAX,
  parseLine,
  type ParsedLine,
} from './parse-line.ts'

/** Small files in the forms of other programs, written for these tests. */
const FILES = new URL('../../../test/imports/', import.meta.url)

function textOf(file: string): string {
  return readFileSync(new URL(file, FILES), 'utf8')
}

async function parsedText(text: string): Promise<ParsedLine[]> {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text)
  }
  const parsed: ParsedLine[] = []
  for await (const line of openLines(source())) {
    if ('text' in line) parsed.push(parseLine(line.text))
  }
  return parsed
}

/** What most of the tests look at: the conversations, each with its messages in a few words. */
async function shown(file: string): Promise<Record<string, string[]>> {
  const parsed = await parsedText(textOf(file))
  return Object.fromEntries(
    parsed
      .flatMap(({ conversations }) => conversations)
      .map(({ conversationId, messages }) => [
        conversationId,
        messages.map(({ id, role, content }) => `${id} ${role} ${brief(content)}`),
      ]),
  )
}

function brief(content: unknown): string {
  if (!Array.isArray(content)) return String(content)
  return (content as { type: string; text?: string }[])
    .map(({ type, text }) => text ?? type)
    .join(' + ')
}

describe('the conversations of', () => {
  test('ChatGPT: the active path, and the other answer as a branch', async () => {
    expect(await shown('chatgpt.json')).toEqual({
      'chat-1': [
        'ask user My soup is bland.',
        "second assistant print('lemon')",
        'output tool lemon',
        'last assistant image_asset_pointer + Take lemon.',
      ],
      'chat-1/branch/first': ['first assistant Add salt.', 'thanks user I have none.'],
    })
    const [{ conversations, leftOut, ignored }] = (await parsedText(textOf('chatgpt.json'))) as [
      ParsedLine,
    ]
    const about = {
      title: 'Soup without salt',
      createdAt: '2024-05-21T14:00:00.250Z',
      updatedAt: '2024-05-21T14:05:00.000Z',
    }
    expect(conversations[0]!.messages[0]).toEqual({
      id: 'ask',
      role: 'user',
      content: 'My soup is bland.',
      createdAt: '2024-05-21T14:00:00.250Z',
      metadata: {
        chatgpt: { status: 'finished_successfully', recipient: 'all' },
        conversation: about,
      },
    })
    expect(conversations[0]!.messages[1]).toMatchObject({
      content: [{ type: 'code', language: 'python', text: "print('lemon')" }],
      metadata: { chatgpt: { recipient: 'python' } },
    })
    expect(conversations[0]!.messages[2]).toMatchObject({ name: 'python' })
    expect(conversations[1]!.messages[0]!.metadata).toEqual({
      chatgpt: { metadata: { model_slug: 'a-model' } },
      conversation: { ...about, branchOf: { conversationId: 'chat-1', messageId: 'ask' } },
    })
    expect([...leftOut]).toEqual([['messages without content', 1]])
    expect(ignored).toEqual(['gizmo_id', 'is_archived'])
  })

  test('Claude: text as text, everything else as the blocks that it came in', async () => {
    expect(await shown('claude.json')).toEqual({
      'claude-1': [
        'c-1 user Why are there tides?',
        'c-2 assistant thinking + tool_use + tool_result + The moon pulls.',
      ],
    })
    const [{ conversations }] = (await parsedText(textOf('claude.json'))) as [ParsedLine]
    expect(conversations[0]!.messages[0]!.metadata).toEqual({
      claude: {
        updated_at: '2025-03-01T10:00:00.000000Z',
        attachments: [{ file_name: 'sea.txt', extracted_content: 'water' }],
        block: { start_timestamp: '2025-03-01T10:00:00Z', citations: [] },
      },
      conversation: {
        title: 'Tides',
        createdAt: '2025-03-01T10:00:00.000000Z',
        updatedAt: '2025-03-01T10:05:00.000000Z',
      },
    })
  })

  test('Claude, where messages name the one before', () => {
    const said = (uuid: string, parent: string, sender: string): object => ({
      uuid,
      sender,
      text: uuid,
      parent_message_uuid: parent,
    })
    const chat_messages = [
      said('a', '0', 'human'),
      said('b', 'a', 'assistant'),
      said('c', 'a', 'assistant'),
    ]
    const { conversations } = parseLine(
      JSON.stringify({ uuid: 'u', chat_messages, current_leaf_message_uuid: 'b' }),
    )
    expect(conversations.map(({ conversationId }) => conversationId)).toEqual(['u', 'u/branch/c'])
  })

  test('Open WebUI: the tree of its history', async () => {
    expect(await shown('open-webui.json')).toEqual({
      'owui-1': ['w-1 user How long does bread rise?', 'w-2 assistant An hour.'],
      'owui-1/branch/w-3': ['w-3 assistant A night.'],
    })
    const [{ conversations }] = (await parsedText(textOf('open-webui.json'))) as [ParsedLine]
    expect(conversations[0]!.messages[0]).toMatchObject({
      createdAt: '2025-01-01T02:53:20.000Z',
      metadata: { conversation: { title: 'Bread', tags: ['kitchen'] } },
    })
    const chat = { messages: [{ id: 'x', role: 'user', content: 'only a list' }] }
    expect(
      parseLine(JSON.stringify({ id: 'o', chat })).conversations[0]!.messages[0],
    ).toMatchObject({
      id: 'x',
    })
  })

  test('LibreChat: nested or in a list, the path to the newest message', async () => {
    const expected = {
      'libre-1': ['l-1 user Which knot holds?', 'l-3 assistant think + A reef knot.'],
      'libre-1/branch/l-2': ['l-2 assistant A bowline.'],
    }
    expect(await shown('librechat.json')).toEqual(expected)
    const { messagesTree, ...rest } = JSON.parse(textOf('librechat.json')) as {
      messagesTree: [{ children: object[] }]
    }
    const [{ children, ...first }] = messagesTree
    const list = JSON.stringify({ ...rest, recursive: false, messages: [first, ...children] })
    expect(parseLine(list)).toEqual((await parsedText(textOf('librechat.json')))[0])
  })

  test('LangChain: calls and results in our fields, all else beside', async () => {
    const [{ format, conversations }] = (await parsedText(textOf('langchain.json'))) as [ParsedLine]
    expect(format).toBe('langchain')
    expect(conversations[0]!.messages).toEqual([
      { id: 'import-0', role: 'system', content: 'Be brief.' },
      { id: 'h-1', role: 'user', content: 'Weather?' },
      {
        id: 'a-1',
        role: 'assistant',
        content: '',
        toolCalls: [
          {
            id: 'call-1',
            type: 'function',
            function: { name: 'weather', arguments: '{"city":"Bern"}' },
          },
        ],
        metadata: { langchain: { usage_metadata: { total_tokens: 9 } } },
      },
      {
        id: 'import-3',
        role: 'tool',
        content: 'rain',
        name: 'weather',
        toolCallId: 'call-1',
        metadata: { langchain: { status: 'success' } },
      },
      {
        id: 'a-2',
        role: 'assistant',
        content: [
          { type: 'text', text: 'Rain.' },
          { type: 'text', text: 'Take a coat.' },
        ],
      },
    ])
  })

  test('LangChain: a call that says more than ours can is kept whole beside', () => {
    const tool_calls = [{ id: 'c', name: 'f', args: {}, type: 'tool_call', index: 0 }]
    const { conversations } = parseLine(JSON.stringify([{ type: 'ai', content: '', tool_calls }]))
    expect(conversations[0]!.messages[0]).not.toHaveProperty('toolCalls')
    expect(conversations[0]!.messages[0]!.metadata).toEqual({ langchain: { tool_calls } })
  })

  test('the AI SDK: parts as they came', async () => {
    const { messages } = JSON.parse(textOf('ai-sdk.json')) as {
      messages: { id: string; role: string; parts: object[]; metadata?: object }[]
    }
    const [{ conversations }] = (await parsedText(textOf('ai-sdk.json'))) as [ParsedLine]
    expect(conversations).toEqual([
      {
        conversationId: 'sdk-1',
        messages: messages.map(({ parts, ...rest }) => ({ ...rest, content: parts })),
        ignored: [],
      },
    ])
  })

  test('OpenAI: items the oldest first, calls and results in our fields', async () => {
    const [{ format, conversations }] = (await parsedText(textOf('openai-items.json'))) as [
      ParsedLine,
    ]
    expect(format).toBe('openai-items')
    const done = { 'openai-items': { status: 'completed' } }
    expect(conversations[0]!.messages).toEqual([
      { id: 'msg-1', role: 'user', content: [{ type: 'input_text', text: '2 + 2?' }] },
      {
        id: 'rs-1',
        role: 'assistant',
        content: null,
        metadata: { 'openai-items': { type: 'reasoning', encrypted_content: 'opaque' } },
      },
      {
        id: 'fc-1',
        role: 'assistant',
        content: null,
        toolCalls: [
          { id: 'call-1', type: 'function', function: { name: 'add', arguments: '{"a":2,"b":2}' } },
        ],
        metadata: done,
      },
      { id: 'fco-1', role: 'tool', content: '4', toolCallId: 'call-1', metadata: done },
      {
        id: 'msg-2',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'Four.', annotations: [] }],
        metadata: done,
      },
    ])
    const { data } = JSON.parse(textOf('openai-items.json')) as { data: object[] }
    expect(parseLine(JSON.stringify(data.toReversed()))).toMatchObject({ conversations })
  })

  test('OpenAI: items without calls, the newest first', () => {
    const said = (role: string, id: string): object => ({ type: 'message', id, role, content: id })
    const data = [
      said('assistant', 'd'),
      said('user', 'c'),
      said('assistant', 'b'),
      said('user', 'a'),
    ]
    const ids = (items: readonly object[]): string[] =>
      parseLine(JSON.stringify({ data: items })).conversations[0]!.messages.map(({ id }) => id)
    expect(ids(data)).toEqual(['a', 'b', 'c', 'd'])
    expect(ids(data.toReversed())).toEqual(['a', 'b', 'c', 'd'])
  })

  test('OpenAI: what a request has as its input', () => {
    const call = { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' }
    const input = [{ role: 'user', content: 'a' }, call]
    expect(parseLine(JSON.stringify(input))).toMatchObject({ format: 'openai-items', refused: [] })
    const output = [{ type: 'message', role: 'assistant', content: 'b' }]
    const { conversations } = parseLine(JSON.stringify({ id: 'r', input: 'a', output }))
    expect(conversations[0]!.messages.map(({ role }) => role)).toEqual(['user', 'assistant'])
  })

  test('fine-tuning lines: every field, under ids by their place', async () => {
    const [first, second] = (await parsedText(textOf('fine-tuning.jsonl'))) as [
      ParsedLine,
      ParsedLine,
    ]
    expect(first.format).toBe('openai-messages')
    expect(first.ignored).toEqual(['tools'])
    expect(first.conversations[0]!.messages[2]).toEqual({
      id: 'import-2',
      role: 'assistant',
      content: 'Hello!',
      weight: 1,
    })
    expect(second.conversations[0]!.messages[2]).toMatchObject({ role: 'tool', name: 'add' })
    expect(second.conversations[0]!.conversationId).toMatch(/^openai-messages-[0-9a-f]{32}$/)
  })

  test('ShareGPT: words of its own for the roles', async () => {
    const [first] = Object.entries(await shown('sharegpt.json'))
    expect(first).toEqual([
      'share-1',
      [
        'import-0 system Rhyme.',
        'import-1 user Cat?',
        'import-2 assistant Hat.',
        'import-3 tool a cat',
      ],
    ])
  })
})

test('the same file makes the same ids, however it is laid out', async () => {
  for (const file of ['chatgpt.json', 'langchain.json', 'sharegpt.json', 'openai-items.json']) {
    const compact = JSON.stringify(JSON.parse(textOf(file)))
    expect(await parsedText(compact)).toEqual(await parsedText(textOf(file)))
  }
})

describe('one bad message', () => {
  const bad = [null, 7, { role: 'robot' }, {}, { type: 'human', data: 1 }, { author: 1, from: 1 }]
  const lists: readonly [ImportFormat, (messages: unknown[]) => unknown, object][] = [
    [
      'everthread',
      (messages) => ({ conversationId: 'c', messages }),
      { role: 'user', content: 'a' },
    ],
    [
      'chatgpt',
      (messages) => ({
        id: 'c',
        mapping: Object.fromEntries(
          messages.map((message, i) => [`n${i}`, { message: message ?? 7, parent: `n${i - 1}` }]),
        ),
      }),
      { author: { role: 'user' }, content: { content_type: 'text', parts: ['a'] } },
    ],
    ['claude', (chat_messages) => ({ uuid: 'c', chat_messages }), { sender: 'human', text: 'a' }],
    [
      'open-webui',
      (messages) => ({
        id: 'c',
        chat: { history: { messages: Object.fromEntries(messages.entries()) } },
      }),
      { role: 'user', content: 'a' },
    ],
    ['sharegpt', (conversations) => ({ id: 'c', conversations }), { from: 'human', value: 'a' }],
    ['langchain', (messages) => messages, { type: 'human', data: { content: 'a' } }],
    [
      'ai-sdk',
      (messages) => ({ id: 'c', messages }),
      { role: 'user', parts: [{ type: 'text', text: 'a' }] },
    ],
    ['openai-items', (data) => ({ data }), { type: 'message', role: 'user', content: 'a' }],
    ['openai-messages', (messages) => ({ messages }), { role: 'user', content: 'a' }],
  ]
  test.each(lists)('of %s is named, and drops nothing else', (format, listOf, good) => {
    for (const message of bad) {
      // What has a type needs no role, where any item may be.
      if (format === 'everthread' && typeof Object(message).type === 'string') continue
      const parsed = parseLine(JSON.stringify(listOf([good, message, good])))
      expect(parsed.format).toBe(format)
      expect(parsed.refused.length + [...parsed.leftOut.values()].reduce((a, b) => a + b, 0)).toBe(
        1,
      )
      const messages = parsed.conversations.flatMap((conversation) => conversation.messages)
      expect(messages).toHaveLength(2)
    }
  })

  test('of LibreChat is named, and drops nothing else', () => {
    const said = (messageId: string): object => ({ messageId, isCreatedByUser: true, text: 'a' })
    const messages = [said('a'), 7, said('b')]
    const parsed = parseLine(JSON.stringify({ conversationId: 'c', messages }))
    expect(parsed).toMatchObject({
      format: 'librechat',
      refused: [{ index: 1, reason: 'message must be an object' }],
    })
  })
})

describe('what other programs never write', () => {
  test('is no conversation of a known form', () => {
    for (const text of ['7', '"a"', 'null', '{}', '[]', '[1]', '{"a":1}']) {
      expect(() => parseLine(text)).toThrow(
        /^is a conversation in none of the known forms: everthread, /,
      )
    }
    expect(() => parseLine('{"mapping":')).toThrow(/^is not JSON/)
  })

  test('is said of a form that was asked for', () => {
    expect(() => parseLine('{}', { format: 'chatgpt' })).toThrow('mapping must be an object')
    expect(() => parseLine('7', { format: 'claude' })).toThrow('the conversation must be an object')
    expect(() => parseLine('{}', { format: 'langchain' })).toThrow('messages must be an array')
  })

  test('with fields named __proto__ changes no prototype, and is kept', () => {
    const raw = '{"sender":"human","text":"a","__proto__":{"polluted":true}}'
    const { conversations } = parseLine(`{"uuid":"u","__proto__":{"a":1},"chat_messages":[${raw}]}`)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    const { claude } = conversations[0]!.messages[0]!.metadata as { claude: object }
    expect(JSON.stringify(claude)).toBe('{"__proto__":{"polluted":true}}')
    const mapping = parseLine('{"id":"c","mapping":{"__proto__":{"message":7},"constructor":{}}}')
    expect(mapping.refused).toHaveLength(1)
  })

  test('nested without end is refused before it is read', () => {
    const depth = CONVERSATION_DEPTH_MAX + 1
    const text = `{"mapping":${'['.repeat(depth)}${']'.repeat(depth)}}`
    expect(() => parseLine(text)).toThrow(`is nested more than ${CONVERSATION_DEPTH_MAX} deep`)
    const brackets = JSON.stringify({
      conversationId: 'c',
      messages: [{ role: 'user', content: '["\\'.repeat(depth) }],
    })
    expect(parseLine(brackets).conversations[0]!.messages).toHaveLength(1)
  })

  test('of more objects or messages than anybody has is refused', () => {
    const objects = `{"uuid":"u","chat_messages":[${'{},'.repeat(CONVERSATION_OBJECTS_MAX)}{}]}`
    expect(() => parseLine(objects)).toThrow(`has more than ${CONVERSATION_OBJECTS_MAX} objects`)
    const messages = `{"uuid":"u","chat_messages":[${'{},'.repeat(CONVERSATION_MESSAGES_MAX)}{}]}`
    expect(() => parseLine(messages)).toThrow(`has ${CONVERSATION_MESSAGES_MAX + 1} messages`)
  })

  test('nested deeply in one message drops that message alone', () => {
    const deep = `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`
    const call = `{"type":"ai","content":"","tool_calls":[{"id":"c","name":"f","args":${deep}}]}`
    const part = `{"type":"ai","content":[{"type":"x","a":${deep}}]}`
    const { conversations, refused } = parseLine(`[${call},${part},{"type":"human","content":"a"}]`)
    const reason = expect.stringMatching(/nested/) as unknown
    expect(refused).toEqual([0, 1].map((index) => ({ index, reason })))
    expect(conversations[0]!.messages).toHaveLength(1)
  })

  test('a tree that is nested a message in a message is read without recursion', () => {
    const open = Array.from(
      { length: 4_000 },
      (_, i) => `{"messageId":"m${i}","isCreatedByUser":true,"text":"a","children":[`,
    )
    const text = `{"conversationId":"c","messagesTree":[${open.join('')}${']}'.repeat(4_000)}]}`
    expect(parseLine(text).conversations[0]!.messages).toHaveLength(4_000)
  })

  test('ids that the store does not take are replaced, the same each time', () => {
    const text = JSON.stringify({
      uuid: 'u'.repeat(600),
      chat_messages: [{ uuid: '', sender: 'human', text: 'a' }],
    })
    const { conversations } = parseLine(text)
    expect(conversations[0]!.conversationId).toMatch(/^claude-[0-9a-f]{32}$/)
    expect(conversations[0]!.messages[0]!.id).toBe('import-0')
    expect(parseLine(text).conversations).toEqual(conversations)
  })

  test('a number that a double cannot hold is told of', () => {
    const { leftOut } = parseLine(
      '{"messages":[{"role":"user","content":"","n":12345678901234567890}]}',
    )
    expect([...leftOut.keys()]).toEqual(['digits of numbers beyond those of a double'])
  })
})

test('a conversation can be given its name', () => {
  const [line] = textOf('fine-tuning.jsonl').split('\n')
  expect(parseLine(line!, { conversationId: 'mine' }).conversations[0]!.conversationId).toBe('mine')
  const own = '{"conversationId":"c","messages":[]}'
  expect(parseLine(own, { conversationId: 'mine' }).conversations[0]!.conversationId).toBe('mine')
})

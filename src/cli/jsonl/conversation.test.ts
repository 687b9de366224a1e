import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeMessage, encodeMessage } from '../../chat/codec.ts'
import type { ChatMessage } from '../../chat/message.ts'
import { ROLES } from '../../chat/message.ts'
import type { Stamp } from '../../core/stamp.ts'
import { exportMessage, type ExportFormat } from './export-message.ts'
import { parseConversation } from './parse-conversation.ts'

const SAVED = '019b1e00-0000-7000-8000-000000000001' as Stamp

/** What a store gives back for what it was given: through the store's own codec. */
function stored(text: string): ChatMessage[] {
  return parseConversation(text).messages.map((message) => {
    const appended = encodeMessage(message)
    const { id } = message
    return decodeMessage({ id, position: SAVED, appendedAt: SAVED, appended })!
  })
}

function lineOf(messages: readonly unknown[], conversationId = 'c'): string {
  return JSON.stringify({ conversationId, messages })
}

function exported(messages: readonly ChatMessage[], format: ExportFormat = 'openai'): string {
  return lineOf(messages.map((message, index) => exportMessage(message, index, format)))
}

const NAMED = ['id', 'role', 'content', 'createdAt', 'name', 'metadata', 'toolCalls', 'toolCallId']

const json = fc.jsonValue({ maxDepth: 3 })
const otherField = fc
  .string({ unit: 'binary', maxLength: 8 })
  .filter((name) => !NAMED.includes(name))

const openAiMessage = fc
  .tuple(
    fc.record(
      {
        role: fc.constantFrom(...ROLES),
        content: fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.constant(null),
          fc.array(fc.record({ type: fc.string(), text: fc.string({ unit: 'binary' }) })),
        ),
        tool_calls: fc.oneof(fc.array(json), fc.constant(null)),
        tool_call_id: fc.oneof(fc.string(), fc.constant(null)),
        name: fc.string(),
        createdAt: fc.constant('2024-05-15T15:00:00.000Z'),
      },
      { requiredKeys: ['role', 'content'] },
    ),
    fc.dictionary(otherField, json),
    fc.integer(),
  )
  // Any order of fields, and any fields that nobody has heard of.
  .map(([named, others, seed]) => {
    const fields = [...Object.entries(others), ...Object.entries(named)]
    return Object.fromEntries(fields.sort((a, b) => hash(a[0], seed) - hash(b[0], seed)))
  })

function hash(text: string, seed: number): number {
  let value = seed
  for (const char of text) value = Math.imul(value ^ char.codePointAt(0)!, 0x01000193)
  return value
}

describe('import and export', () => {
  test('messages without ids come back with every field in its order', () => {
    fc.assert(
      fc.property(fc.array(openAiMessage), (messages) => {
        expect(exported(stored(lineOf(messages)))).toBe(lineOf(messages))
      }),
      { numRuns: 500 },
    )
  })

  test.each(['openai', 'everthread'] as const)(
    'an export in the %s form is imported as what it was made of',
    (format) => {
      const withIds = fc.array(
        fc.tuple(openAiMessage, fc.option(fc.uuid())).map(([message, id]) => ({
          ...(id !== null && { id }),
          ...message,
        })),
      )
      fc.assert(
        fc.property(withIds, (messages) => {
          const first = stored(lineOf(messages))
          const text = exported(first, format)
          expect(stored(text)).toEqual(first)
          expect(exported(stored(text), format)).toBe(text)
        }),
      )
    },
  )

  test('tool calls get our names in the store and OpenAI names in the export', () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } }
    const messages = [
      { content: null, role: 'assistant', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', name: 'f', content: '42' },
    ]
    const inside = stored(lineOf(messages))
    expect(Object.keys(inside[0]!)).toEqual(['id', 'content', 'role', 'toolCalls', 'createdAt'])
    expect(inside[1]).toMatchObject({ id: 'import-1', toolCallId: 'call_1' })
    expect(exported(inside)).toBe(lineOf(messages))
    expect(exported(inside, 'everthread')).toContain('"toolCalls":[')
  })

  test('a message with a field under both names keeps both', () => {
    const messages = [{ role: 'user', content: '', tool_calls: [1], toolCalls: [2] }]
    expect(exported(stored(lineOf(messages)))).toBe(lineOf(messages))
  })

  test('a field named __proto__ is kept and changes nothing', () => {
    const line =
      '{"conversationId":"c","messages":[{"role":"user","content":"","__proto__":{"id":"x"}}]}'
    expect(exported(stored(line))).toBe(line)
    expect(stored(line)[0]!.id).toBe('import-0')
  })

  test('an imported message that no longer stands at its index keeps its id', () => {
    const [, second] = stored(
      lineOf([
        { role: 'user', content: 'a' },
        { role: 'user', content: 'b' },
      ]),
    )
    expect(exported([second!])).toBe(lineOf([{ id: 'import-1', role: 'user', content: 'b' }]))
  })
})

describe('a bad line', () => {
  test.each([
    ['{"conversationId":', /^is not JSON/],
    ['[]', /^must be an object/],
    ['{"messages":[]}', /^conversationId must be a string, got undefined/],
    ['{"conversationId":"","messages":[]}', /^conversationId must not be empty/],
    ['{"conversationId":"a\\u0000","messages":[]}', /NUL/],
    ['{"conversationId":"a\\ud800","messages":[]}', /lone surrogate/],
    ['{"conversationId":"c"}', /^messages must be an array/],
    [
      '{"conversationId":"c","messages":[{"role":"user","content":"","n":12345678901234567890}]}',
      /^has the number 12345678901234567890/,
    ],
  ])('a line is refused with its reason (%#)', (line, reason) => {
    expect(() => parseConversation(line)).toThrow(reason)
  })

  test('fields of the line that the store has no place for are named', () => {
    const { ignored } = parseConversation('{"conversationId":"c","tools":[],"messages":[]}')
    expect(ignored).toEqual(['tools'])
  })
})

describe('a bad message', () => {
  const before = { role: 'user', content: 'before' }
  const behind = { role: 'user', content: 'behind' }

  test.each([
    [1, /^message must be an object/],
    [{ content: '' }, /^message.role must be one of .* got undefined$/],
    [{ role: 'human', content: '' }, /^message.role .* got "human"/],
    [{ role: 'user', content: 1 }, /^message.content must be .* got number/],
    [{ role: 'user', content: '', createdAt: null }, /^message.createdAt/],
    [{ role: 'user', content: 'x'.repeat(5_000_000) }, /^message must be at most/],
    [{ role: 'user', content: '', id: 7 }, /^message.id must be a string/],
    [{ role: 'user', content: '', id: 'x'.repeat(1_100) }, /^message.id must be at most/],
    [{ role: 'user', content: 'b', id: 'import-0' }, /^message has the id of message 0/],
  ])('is refused with its reason, and the others keep their ids (%#)', (message, reason) => {
    const { messages, refused } = parseConversation(lineOf([before, message, behind]))
    expect(refused).toEqual([{ index: 1, reason: expect.stringMatching(reason) as unknown }])
    expect(messages).toEqual([
      { id: 'import-0', ...before },
      { id: 'import-2', ...behind },
    ])
  })
})

/* Random conversations with calls of tools in several forms, whole and torn, and random limits of windows. */
import fc from 'fast-check'
import type { ChatMessage, WindowOptions } from '../../src/index.ts'

const TEXT = fc.integer({ min: 0, max: 9 }).map(String)
const CALL_ID = fc.constantFrom('a', 'b', 'c')
const CALL_IDS = fc.uniqueArray(CALL_ID, { minLength: 1, maxLength: 3 })
const MESSAGE: fc.Arbitrary<object> = fc.oneof(
  TEXT.map((content) => ({ role: 'user', content })),
  TEXT.map((content) => ({ role: 'assistant', content })),
  TEXT.map((content) => ({ role: 'system', content })),
  CALL_IDS.map((ids) => ({
    role: 'assistant',
    content: null,
    toolCalls: ids.map((id) => ({ id })),
  })),
  CALL_IDS.map((ids) => ({
    role: 'assistant',
    content: ids.map((id) => ({ type: 'tool_use', id })),
  })),
  CALL_ID.map((id) => ({ role: 'tool', content: '5', toolCallId: id })),
  CALL_IDS.map((ids) => ({
    role: 'user',
    content: ids.map((id) => ({ type: 'tool_result', tool_use_id: id })),
  })),
  fc.record({ role: fc.constant('assistant'), content: TEXT, toolCalls: fc.constant([{}]) }),
  fc.constant({ role: 'tool', content: 'nameless' }),
)

/** Messages as they are saved, without ids. */
export const MESSAGES: fc.Arbitrary<readonly object[]> = fc
  .tuple(
    fc.array(
      TEXT.map((content) => ({ role: 'system', content })),
      { maxLength: 2 },
    ),
    fc.array(MESSAGE, { maxLength: 60 }),
  )
  .map(([system, messages]) => [...system, ...messages])

/** What a message counts for. */
export function tokensOf({ content }: ChatMessage): number {
  return Number(content) || 1
}

/** Limits that about every second window reaches, without `countTokens`. */
export const LIMITS: fc.Arbitrary<WindowOptions> = fc
  .tuple(
    fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    fc.boolean(),
    fc.constantFrom(undefined, 'user' as const),
  )
  .map(([maxMessages, tokens, keepSystem, startOn]) => {
    const maxTokens = tokens ?? (maxMessages === undefined ? 20 : undefined)
    return {
      ...(maxMessages !== undefined && { maxMessages }),
      ...(maxTokens !== undefined && { maxTokens }),
      keepSystem,
      ...(startOn !== undefined && { startOn }),
    }
  })

/* Random chats, as programs of each provider save them. */
import fc from 'fast-check'

export interface Call {
  readonly id: string
  readonly name: string
  readonly input: Readonly<Record<string, unknown>>
  /** Undefined: it has no result. */
  readonly output: string | undefined
}
/** One thing that happens in a chat. */
export type Event =
  | { readonly role: 'system' | 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly Call[] }

/** Writers of a chat in each shape, as programs save it. */
export const SHAPES: Readonly<Record<string, (events: readonly Event[]) => object[]>> = {
  own: (events) =>
    events.flatMap((event) => {
      if (event.role !== 'assistant') return [{ role: event.role, content: event.text }]
      const toolCalls = event.calls.map(({ id, name, input }) => ({ id, name, args: input }))
      return [
        { role: 'assistant', content: event.text, ...(toolCalls.length > 0 && { toolCalls }) },
        ...answered(event).map(({ id, output }) => ({
          role: 'tool',
          toolCallId: id,
          content: output,
        })),
      ]
    }),
  openai: (events) =>
    events.flatMap((event) => {
      if (event.role !== 'assistant') return [{ role: event.role, content: event.text }]
      const calls = event.calls.map(({ id, name, input }) => {
        return { id, type: 'function', function: { name, arguments: JSON.stringify(input) } }
      })
      return [
        {
          role: 'assistant',
          content: event.text || null,
          ...(calls.length > 0 && { tool_calls: calls }),
        },
        ...answered(event).map(({ id, output }) => ({
          role: 'tool',
          tool_call_id: id,
          content: output,
        })),
      ]
    }),
  responses: (events) =>
    events.flatMap((event): object[] => {
      if (event.role !== 'assistant') {
        const content = [{ type: 'input_text', text: event.text }]
        return [{ type: 'message', role: event.role, content }]
      }
      const content = [{ type: 'output_text', text: event.text, annotations: [] }]
      return [
        { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' },
        ...(event.text === ''
          ? []
          : [{ type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content }]),
        ...event.calls.map(({ id, name, input }) => {
          return {
            type: 'function_call',
            id: 'fc_1',
            call_id: id,
            name,
            arguments: JSON.stringify(input),
          }
        }),
        ...answered(event).map(({ id, output }) => ({
          type: 'function_call_output',
          call_id: id,
          output,
        })),
      ]
    }),
  anthropic: (events) =>
    events.flatMap((event): object[] => {
      if (event.role !== 'assistant') return [{ role: event.role, content: event.text }]
      const results = answered(event).map(({ id, output }) => {
        return { type: 'tool_result', tool_use_id: id, content: output }
      })
      const content = [
        ...(event.text === '' ? [] : [{ type: 'text', text: event.text }]),
        ...event.calls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input })),
      ]
      return [
        { role: 'assistant', content },
        ...(results.length > 0 ? [{ role: 'user', content: results }] : []),
      ]
    }),
  'ai-sdk': (events) =>
    events.map((event, i) => {
      const parts: object[] = event.text === '' ? [] : [{ type: 'text', text: event.text }]
      if (event.role === 'assistant') {
        parts.push(
          ...event.calls.map(({ id, name, input, output }) => {
            const state = output === undefined ? 'input-available' : 'output-available'
            return {
              type: `tool-${name}`,
              toolCallId: id,
              state,
              input,
              ...(output !== undefined && { output }),
            }
          }),
        )
      }
      return { id: `m${i}`, role: event.role, parts }
    }),
  gemini: (events) =>
    events.flatMap((event): object[] => {
      if (event.role !== 'assistant') return [{ role: event.role, parts: [{ text: event.text }] }]
      const results = answered(event).map(({ id, name, output }) => {
        return { functionResponse: { id, name, response: { output } } }
      })
      const parts = [
        ...(event.text === '' ? [] : [{ text: event.text }]),
        ...event.calls.map(({ id, name, input }) => ({ functionCall: { id, name, args: input } })),
      ]
      return [
        { role: 'model', parts },
        ...(results.length > 0 ? [{ role: 'user', parts: results }] : []),
      ]
    }),
  langchain: (events) =>
    events.flatMap((event): object[] => {
      const type = event.role === 'user' ? 'human' : event.role === 'system' ? 'system' : 'ai'
      if (event.role !== 'assistant') return [{ type, data: { content: event.text } }]
      const tool_calls = event.calls.map(({ id, name, input }) => ({ id, name, args: input }))
      return [
        { type, data: { content: event.text, tool_calls } },
        ...answered(event).map(({ id, output }) => {
          return { type: 'tool', data: { content: output, tool_call_id: id } }
        }),
      ]
    }),
}

export function answered({
  calls,
}: Extract<Event, { role: 'assistant' }>): (Call & { output: string })[] {
  return calls.filter((call): call is Call & { output: string } => call.output !== undefined)
}

const word = fc.stringMatching(/^[a-z]{1,8}$/)
const call = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'call|d', 'é'),
  name: fc.constantFrom('look', 'book'),
  input: fc.dictionary(word, fc.integer(), { maxKeys: 2 }),
  output: fc.option(word, { nil: undefined, freq: 4 }),
})
const calls = fc.uniqueArray(call, { maxLength: 3, selector: ({ id }) => id })
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ role: fc.constant('user' as const), text: word }),
  fc.record({ role: fc.constant('system' as const), text: word }),
  fc.record({ role: fc.constant('assistant' as const), text: word, calls }),
  fc.record({
    role: fc.constant('assistant' as const),
    text: fc.constant(''),
    calls: calls.filter((list) => list.length > 0),
  }),
)
export const chat: fc.Arbitrary<Event[]> = fc.array(event, { maxLength: 12 })

/** As the store gives them back. */
export function stored(messages: readonly object[]): object[] {
  const createdAt = '2026-01-01T00:00:00.000Z'
  return messages.map((message, i) => ({ id: `id-${i}`, ...message, createdAt }))
}

/** All that was said, in its order; without calls that have no result. */
export function wordsOf(events: readonly Event[], isUnanswered = false): string[] {
  return events.flatMap((each) => {
    if (each.role !== 'assistant') return [`${each.role}:${each.text}`]
    const kept = isUnanswered ? each.calls : answered(each)
    return [
      ...(each.text === '' ? [] : [`assistant:${each.text}`]),
      ...kept.map(({ name, input }) => `call:${name}:${JSON.stringify(input)}`),
      ...answered(each).map(({ output }) => `result:${output}`),
    ]
  })
}

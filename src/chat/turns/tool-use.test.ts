import { describe, expect, test } from 'vitest'
import { closingMessage, isClosable } from './closing-message.ts'
import { toolUseOf } from './tool-use.ts'
import { TurnFinder } from './turn-finder.ts'

/** A call and its result, as they are saved in each form. */
const FORMS: Readonly<Record<string, readonly [call: object, result: object]>> = {
  'the store’s own': [
    { role: 'assistant', content: null, toolCalls: [{ id: 'x', name: 'f' }] },
    { role: 'tool', content: '1', toolCallId: 'x' },
  ],
  'OpenAI’s chat completions': [
    { role: 'assistant', content: null, tool_calls: [{ id: 'x', function: { name: 'f' } }] },
    { role: 'tool', content: '1', tool_call_id: 'x' },
  ],
  'OpenAI’s responses, as a message': [
    { role: 'assistant', content: null, type: 'function_call', id: 'fc', call_id: 'x', name: 'f' },
    { role: 'tool', content: null, type: 'function_call_output', call_id: 'x', output: '1' },
  ],
  'OpenAI’s responses, as parts': [
    { role: 'assistant', content: [{ type: 'custom_tool_call', call_id: 'x', name: 'f' }] },
    { role: 'tool', content: [{ type: 'custom_tool_call_output', call_id: 'x', output: '1' }] },
  ],
  'the OpenAI Agents SDK’s': [
    { type: 'function_call', callId: 'x', name: 'f', arguments: '{}' },
    { type: 'function_call_result', callId: 'x', name: 'f', status: 'completed', output: {} },
  ],
  'Anthropic’s': [
    { role: 'assistant', content: [{ type: 'text', text: 'a' }, use('tool_use')] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'x', content: '1' }] },
  ],
  'the AI SDK’s model messages': [
    { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'x', toolName: 'f' }] },
    { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'x', toolName: 'f' }] },
  ],
  'Gemini’s': [
    { role: 'assistant', content: null, parts: [{ functionCall: { id: 'x', name: 'f' } }] },
    { role: 'user', content: null, parts: [{ functionResponse: { id: 'x', name: 'f' } }] },
  ],
}

function use(type: string): object {
  return { type, id: 'x', name: 'f', input: {} }
}

describe.each(Object.entries(FORMS))('in %s form', (_name, [call, result]) => {
  test('a call and its result are recognised', () => {
    expect(toolUseOf(call)).toMatchObject({ calls: [{ id: 'x', name: 'f' }], results: [] })
    expect(toolUseOf(result)).toEqual({ calls: [], results: ['x'], onlyResults: true })
  })

  test('a call is closed by a message that answers it', () => {
    const [open] = toolUseOf(call).calls
    if (!isClosable(open!)) throw new Error('it cannot be closed')
    const closing = closingMessage('m', open, 'gone')
    expect(toolUseOf(closing)).toEqual({ calls: [], results: ['x'], onlyResults: true })
    expect(JSON.stringify(closing)).toContain('gone')
    expect(Object.keys(closing).sort()).toEqual(expect.arrayContaining(Object.keys(result).sort()))
  })
})

test.each([
  { type: 'tool-f', toolCallId: 'x', state: 'output-available' },
  { type: 'tool-f', toolCallId: 'x', state: 'output-error' },
  { type: 'dynamic-tool', toolName: 'f', toolCallId: 'x', state: 'output-denied' },
  { type: 'tool-invocation', toolInvocation: { toolCallId: 'x', state: 'result' } },
])('a part that has its result in itself is whole: %j', (part) => {
  const message = { role: 'assistant', content: '', parts: [part] }
  expect(toolUseOf(message)).toEqual({ calls: [], results: [], onlyResults: false })
})

test.each([
  { type: 'tool-f', toolCallId: 'x', state: 'input-available' },
  { type: 'dynamic-tool', toolName: 'f', toolCallId: 'x', state: 'approval-requested' },
  { type: 'tool-invocation', toolInvocation: { toolCallId: 'x', toolName: 'f', state: 'call' } },
])('and one that has not ended is a call that no later message closes: %j', (part) => {
  const { calls } = toolUseOf({ role: 'assistant', content: '', parts: [part] })
  expect(calls).toMatchObject([{ id: 'x', name: 'f' }])
  expect(isClosable(calls[0]!)).toBe(false)
})

test.each(['server_tool_use', 'mcp_tool_use'])(
  'what a provider runs is no dangling call: %s',
  (type) => {
    const call = { use: toolUseOf({ role: 'assistant', content: [use(type)] }) }
    const result = { type: 'web_search_tool_result', tool_use_id: 'x', content: [] }
    const message = { use: toolUseOf({ role: 'assistant', content: [result] }) }
    expect(new TurnFinder().add(call)).toMatchObject({ dangling: [], turn: { isWhole: true } })
    const finder = new TurnFinder()
    finder.add(message)
    expect(finder.add(call).turn?.messages).toEqual([call, message])
  },
)

test.each([
  {},
  { role: 'user', content: 'hi' },
  { role: 'assistant', content: [{ type: 'text', text: 'tool_use' }], toolCalls: null },
  { role: 'assistant', content: [{ type: 'web_search_call', id: 'ws' }] },
  { role: 'assistant', content: 7, toolCalls: [null, 'x', 5], parts: {} },
  { role: 'assistant', content: [{ type: 'tool-approval-request', toolCallId: 'x' }] },
  { role: 'assistant', content: [use('tool_use'), { type: 'tool_result', tool_use_id: 'x' }] },
])('nothing is to be paired in %j', (message) => {
  expect(toolUseOf(message)).toEqual({ calls: [], results: [], onlyResults: false })
})

test('results that name no call answer those of the nearest message that calls, in order', () => {
  const finder = new TurnFinder<{ use: ReturnType<typeof toolUseOf>; name: string }>()
  const message = (name: string, given: object) => ({ name, use: toolUseOf(given) })
  const nameless = { role: 'tool', content: '' }
  const calls = message('calls', { role: 'assistant', content: null, toolCalls: [{}, { id: 'b' }] })
  finder.add(message('second', nameless))
  finder.add(message('first', nameless))
  const { answers, turn } = finder.add(calls)
  expect(answers.map(({ result, callId }) => [result.name, callId])).toEqual([
    ['first', undefined],
    ['second', 'b'],
  ])
  expect(turn?.messages.map(({ name }) => name)).toEqual(['calls', 'first', 'second'])
})

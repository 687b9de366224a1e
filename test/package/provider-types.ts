/*
 * What compiles of messages in the shapes of providers, and what does not: `typescript.test.ts` compiles it
 * against the package, with every TypeScript that is supported. It never runs.
 */
import {
  openChatHistory,
  type ChatHistory,
  type ChatMessage,
  type NewMessage,
} from '../../src/index.ts'
import {
  toAnthropic,
  toOpenAI,
  toResponses,
  toUIMessages,
  type AnthropicMessage,
  type OpenAIMessage,
  type ResponsesItem,
  type UIMessage,
} from '../../src/messages.ts'

export async function openai(): Promise<OpenAIMessage[]> {
  const history = await openChatHistory<'openai'>({ primary: 'memory:', backup: 'memory:' })
  await history.saveMessages('c', [
    { id: 'a', role: 'developer', content: 'Be brief.', createdAt: '2026-01-01T00:00:00Z' },
    {
      role: 'user',
      content: [{ type: 'image_url', image_url: { url: 'https://example.org/a.png' } }],
    },
    {
      role: 'assistant',
      tool_calls: [{ id: 't', type: 'function', function: { name: 'f', arguments: '{}' } }],
    },
    { role: 'tool', tool_call_id: 't', content: '1' },
  ])
  // @ts-expect-error There is no such role.
  await history.saveMessage('c', { role: 'model', content: 'x' })
  // @ts-expect-error A misspelt role.
  await history.saveMessage('c', { role: 'asistant', content: 'x' })
  // @ts-expect-error A misspelt field.
  await history.saveMessage('c', { role: 'tool', tool_callid: 't', content: 'x' })
  // @ts-expect-error A field of another role.
  await history.saveMessage('c', { role: 'user', content: 'x', tool_calls: [] })
  // @ts-expect-error A part of another provider.
  await history.saveMessage('c', { role: 'user', content: [{ type: 'input_text', text: 'x' }] })
  const { messages } = await history.getHistory('c')
  for (const message of messages) {
    if (message.role === 'assistant') console.log(message.tool_calls?.length, message.createdAt)
    if (message.role === 'tool') console.log(message.tool_call_id.length, message.id.length)
  }
  return toOpenAI(messages).messages
}

export async function anthropic(): Promise<AnthropicMessage[]> {
  const history = await openChatHistory<'anthropic'>({ primary: 'memory:', backup: 'memory:' })
  const content: AnthropicMessage['content'] = [{ type: 'tool_use', id: 't', name: 'f', input: {} }]
  await history.saveMessage('c', { role: 'assistant', content })
  // @ts-expect-error Instructions are no message there.
  await history.saveMessage('c', { role: 'system', content: 'x' })
  const { messages, system } = toAnthropic((await history.window('c', { maxMessages: 9 })).messages)
  console.log(system?.[0]?.text)
  return messages
}

export async function responses(): Promise<ResponsesItem[]> {
  const history = await openChatHistory<'responses'>({ primary: 'memory:', backup: 'memory:' })
  await history.saveItems('c', [
    { type: 'message', role: 'user', content: 'x' },
    { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' },
    { type: 'function_call', call_id: 't', name: 'f', arguments: '{}' },
    { type: 'function_call_output', call_id: 't', output: '1' },
    { type: 'web_search_call', id: 'ws_1', status: 'completed' },
  ])
  await history.updateMessage('c', 'rs_1', { type: 'reasoning', summary: [] })
  // @ts-expect-error What has no role is no message.
  await history.saveMessage('c', { type: 'reasoning', summary: [] })
  // @ts-expect-error There is no such role.
  await history.saveItems('c', [{ type: 'message', role: 'model', content: 'x' }])
  // @ts-expect-error There is no such type.
  await history.saveItems('c', [{ type: 'reasonings', summary: [] }])
  // @ts-expect-error A call has an id.
  await history.saveItems('c', [{ type: 'function_call', name: 'f', arguments: '{}' }])
  const { messages } = await history.getHistory('c')
  for (const item of messages) {
    if (item.type === 'function_call') console.log(item.arguments.length, item.createdAt)
    if (item.type === 'reasoning') console.log(item.summary.length)
  }
  return toResponses(messages).input
}

export async function aiSdk(fromClient: UIMessage): Promise<UIMessage[]> {
  const history = await openChatHistory<'ai-sdk'>({ primary: 'memory:', backup: 'memory:' })
  await history.saveMessage('c', fromClient)
  // @ts-expect-error It has parts.
  await history.saveMessage('c', { id: 'a', role: 'user', content: 'x' })
  // @ts-expect-error There is no such role.
  await history.saveMessage('c', { id: 'a', role: 'tool', parts: [] })
  const { messages } = await history.getHistory('c')
  for (const part of messages.flatMap(({ parts }) => parts)) {
    if (part.type === 'text') console.log(part.text.length)
    if (part.type === 'dynamic-tool') console.log(part.toolName.length)
  }
  return toUIMessages(messages).messages
}

export async function others(): Promise<void> {
  const gemini = await openChatHistory<'gemini'>({ primary: 'memory:', backup: 'memory:' })
  await gemini.saveMessage('c', {
    role: 'model',
    parts: [{ functionCall: { name: 'f', args: {} } }],
  })
  // @ts-expect-error There is no such role.
  await gemini.saveMessage('c', { role: 'assistant', parts: [] })
  const langchain = await openChatHistory<'langchain'>({ primary: 'memory:', backup: 'memory:' })
  await langchain.saveItems('c', [{ type: 'human', data: { content: 'x' } }])
  // @ts-expect-error It has no role: it is no message.
  await langchain.saveMessage('c', { type: 'human', data: { content: 'x' } })
  // @ts-expect-error There is no such type.
  await langchain.saveItems('c', [{ type: 'user', data: { content: 'x' } }])
}

/** Without a shape, any item with a type may stand between messages. */
export async function items(history: ChatHistory): Promise<void> {
  await history.saveItems('c', [
    { role: 'user', content: 'x' },
    { id: 'n', type: 'note', text: 'x', nested: { a: [1] } },
  ])
  // @ts-expect-error A misspelt role.
  await history.saveItems('c', [{ role: 'usr', content: 'x' }])
  // @ts-expect-error Neither a role nor a type.
  await history.saveItems('c', [{ text: 'x' }])
  // @ts-expect-error A message has a content.
  await history.saveItems('c', [{ role: 'user' }])
}

/** Types that applications write down. */
export const ofOpenAI: NewMessage<'openai'> = { role: 'user', content: 'x' }
// @ts-expect-error There is no such provider.
export type OfNobody = NewMessage<'nobody'>
export const ofAny = (message: ChatMessage<'openai' | 'anthropic'>): string => message.role

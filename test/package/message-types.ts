/*
 * What compiles of messages, and what does not: `typescript.test.ts` compiles it against the package, with
 * every TypeScript that is supported. It never runs.
 */
import {
  openChatHistory,
  type AssistantMessage,
  type ChatHistory,
  type ChatMessage,
  type NewMessage,
  type Role,
  type UserMessage,
} from '../../src/index.ts'

export async function ofEachRole(history: ChatHistory): Promise<void> {
  const parts = [{ type: 'image', url: 'https://example.org/a.png', detail: 'low' }]
  const metadata = { model: 'm', tokens: 12 }
  await history.saveMessages('c', [
    { role: 'system', content: 'Be brief.' },
    { role: 'developer', content: 'Be briefer.' },
    { id: 'q1', role: 'user', content: parts, name: 'Ann', metadata },
    {
      role: 'assistant',
      content: null,
      toolCalls: [{ id: 't1' }],
      createdAt: '2026-01-01T00:00:00Z',
    },
    { role: 'tool', content: '42', toolCallId: 't1' },
  ])
  // @ts-expect-error A misspelt field.
  await history.saveMessage('c', { role: 'user', content: 'x', metdata: metadata })
  // @ts-expect-error A field that another role has.
  await history.saveMessage('c', { role: 'user', content: 'x', toolCalls: [] })
  // @ts-expect-error Only an assistant has no content.
  await history.saveMessage('c', { role: 'user', content: null })
  // @ts-expect-error A message has a content.
  await history.saveMessage('c', { role: 'assistant' })
  // @ts-expect-error There is no such role.
  await history.saveMessage('c', { role: 'human', content: 'x' })
  // @ts-expect-error A field of one's own that is not declared.
  await history.updateMessage('c', 'q1', { role: 'user', content: 'x', traceId: 't' })
}

export async function ofAnyRole(history: ChatHistory, role: Role, content: string): Promise<void> {
  await history.saveMessage('c', { role, content })
  const { messages } = await history.getHistory('c')
  for (const message of messages) {
    const { id, createdAt, name, ...rest } = message
    await history.updateMessage('c', id, { ...message, content })
    await history.saveMessage('other', rest)
    console.log(createdAt.length, name, textOf(message))
  }
}

function textOf(message: ChatMessage): string {
  switch (message.role) {
    case 'assistant':
      return `${message.toolCalls?.length ?? 0} calls`
    case 'tool':
      return message.toolCallId ?? 'unasked'
    default:
      return typeof message.content === 'string'
        ? message.content
        : message.content.map(typeOf).join()
  }
}

function typeOf({ type }: { readonly type: string }): string {
  return type
}

interface Extras {
  readonly traceId?: string
  readonly metadata?: { readonly model: string }
}

export async function withExtras(): Promise<string | undefined> {
  const history = await openChatHistory<Extras>({ primary: 'memory:', backup: 'memory:' })
  await history.saveMessage('c', { role: 'user', content: 'x', traceId: 't' })
  const metadata = { model: 'm' }
  const receipts = await history.saveMessages('c', [{ role: 'tool', content: 'x', metadata }])
  // @ts-expect-error A misspelt field of one's own.
  await history.saveMessage('c', { role: 'user', content: 'x', traceID: 't' })
  // @ts-expect-error A declared field has its type.
  await history.saveMessage('c', { role: 'user', content: 'x', traceId: 1 })
  const message = await history.getMessage('c', receipts[0]!.id)
  for await (const { traceId } of history.messages('c')) console.log(traceId?.length)
  await ofAnyRole(history, 'user', 'x')
  return message?.metadata?.model
}

/** Types that applications write down. */
export const question: UserMessage = { role: 'user', content: 'x' }
export const traced: NewMessage<{ readonly traceId: string }> = { ...question, traceId: 't' }
export const answer: AssistantMessage & { readonly id: string } = {
  id: 'a1',
  role: 'assistant',
  content: 'x',
}
export const plain: readonly NewMessage[] = [question, traced, answer]
// @ts-expect-error What is required is missing.
export const untraced: NewMessage<{ readonly traceId: string }> = question
// @ts-expect-error A message that is read back has an id and a time.
export const stored: ChatMessage = question

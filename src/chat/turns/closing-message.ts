import { hash } from 'node:crypto'
import type { NewMessage } from '../message.ts'
import type { ToolCall } from './tool-use.ts'

/** A call that a message behind it can answer. */
export type Closable = ToolCall & { readonly id: string }
type Closing = NewMessage & { readonly id: string }

/**
 * The id of the message that closes a call: the same in every process. The message that calls is part of it,
 * since some models count their calls anew in every message.
 */
export function closingId(messageId: string, callId: string): string {
  return `closed-${hash('sha256', JSON.stringify([messageId, callId]), 'hex').slice(0, 40)}`
}

/**
 * True for calls that a message behind them can answer: those with an id, which are not of the parts that have
 * their result in themselves. Of those of the OpenAI Agents SDK, functions alone have results that are a text.
 */
export function isClosable(call: ToolCall): call is Closable {
  const isAction = call.form === 'agents' && call.type !== 'function_call'
  return call.id !== undefined && call.form !== 'ui' && !isAction
}

/** The message that closes a call with an error, in the form that the call has. */
export function closingMessage(messageId: string, call: Closable, text: string): Closing {
  const id = closingId(messageId, call.id)
  return {
    id,
    metadata: { toolError: 'interrupted' },
    ...resultOf(call, text),
  } as object as Closing
}

function resultOf({ id, name, form, type }: Closable, text: string): object {
  switch (form) {
    case 'openai':
      return { role: 'tool', tool_call_id: id, content: text }
    case 'responses':
    case 'item':
    case 'bare': {
      const output = { type: `${type}_output`, call_id: id, output: text }
      if (form === 'bare') return output
      return form === 'item'
        ? { role: 'tool', content: null, ...output }
        : { role: 'tool', content: [output] }
    }
    case 'agents': {
      const output = { type: 'text', text }
      return { type: 'function_call_result', callId: id, name, status: 'incomplete', output }
    }
    case 'langchain': {
      const data = { content: text, tool_call_id: id, name: name ?? '', status: 'error' }
      return { type: 'tool', data }
    }
    case 'anthropic': {
      const result = { type: 'tool_result', tool_use_id: id, is_error: true, content: text }
      return { role: 'user', content: [result] }
    }
    case 'ai-sdk': {
      const output = { type: 'error-text', value: text }
      const result = { type: 'tool-result', toolCallId: id, toolName: name ?? '', output }
      return { role: 'tool', content: [result] }
    }
    case 'gemini': {
      const response = { id, ...(name !== undefined && { name }), response: { error: text } }
      return { role: 'user', content: null, parts: [{ functionResponse: response }] }
    }
    case 'own':
    case 'ui':
      return { role: 'tool', toolCallId: id, ...(name !== undefined && { name }), content: text }
  }
}

import type {
  OpenAIAssistantMessage,
  OpenAIMessage,
  OpenAITextPart,
  OpenAIToolCall,
  OpenAIUserPart,
} from '../providers/openai.ts'
import { readPaired } from './pair-results.ts'
import type { ConversionNote, Entry, Notes, Said, SaidMedia } from './said.ts'
import { answerText, argumentsOf, CallIds, stepsOf, type AnsweredCall, type Step } from './steps.ts'

/** Messages for OpenAI's Chat Completions. */
export interface ForOpenAI {
  readonly messages: OpenAIMessage[]
  /** What was left out or changed. */
  readonly notes: readonly ConversionNote[]
}

/**
 * Messages of any shape as a request to OpenAI's Chat Completions has them: results right behind their calls,
 * none of either alone. What it has no word for, such as what a model thought, is left out and noted.
 */
export function toOpenAI(messages: readonly object[]): ForOpenAI {
  const { entries, notes } = readPaired(messages)
  const ids = new CallIds()
  const made = entries.flatMap((entry) => messagesOf(entry, notes, ids))
  return { messages: made, notes: notes.all }
}

function messagesOf(entry: Entry, notes: Notes, ids: CallIds): OpenAIMessage[] {
  const { role, said } = entry
  const name = entry.name === undefined ? {} : { name: entry.name }
  if (role === 'assistant') {
    return stepsOf(entry, notes).flatMap((step) => stepMessages(step, name, notes, ids))
  }
  if (role === 'user') {
    const content = said.flatMap((each) => userPart(each, notes))
    return content.length === 0 ? [] : [{ role, content: shortened(content), ...name }]
  }
  const texts = said.flatMap((each) => textPart(each, notes))
  return texts.length === 0 ? [] : [{ role, content: shortened(texts), ...name }]
}

/** One text is written as text. */
function shortened<Part extends { type: string }>(parts: Part[]): string | Part[] {
  const [first, ...others] = parts as (Part & Partial<OpenAITextPart>)[]
  const isText = first !== undefined && Object.keys(first).length === 2 && first.type === 'text'
  return isText && others.length === 0 ? (first.text ?? '') : parts
}

function stepMessages(
  step: Step,
  name: { name?: string },
  notes: Notes,
  ids: CallIds,
): OpenAIMessage[] {
  const parts = step.said.flatMap((each) => assistantPart(each, notes))
  const calls = step.calls
    .filter((call) => isFunction(call, notes))
    .map((call) => ({ call, id: ids.of(call) }))
  if (parts.length === 0 && calls.length === 0) return []
  const message: OpenAIAssistantMessage = {
    role: 'assistant',
    content: parts.length === 0 ? null : shortened(parts),
    ...(calls.length > 0 && { tool_calls: calls.map(({ call, id }) => toolCall(call, id)) }),
    ...name,
  }
  return [message, ...calls.map(({ call, id }) => toolMessage(call, id, notes))]
}

function isFunction(call: AnsweredCall, notes: Notes): boolean {
  if (call.isBuiltIn) notes.leftOut(call)
  return !call.isBuiltIn
}

function toolCall(call: AnsweredCall, id: string): OpenAIToolCall {
  const { name, raw } = call
  const isCustom = raw?.['type'] === 'custom' || raw?.['type'] === 'custom_tool_call'
  return isCustom
    ? { id, type: 'custom', custom: { name, input: call.text ?? '' } }
    : { id, type: 'function', function: { name, arguments: argumentsOf(call) } }
}

function toolMessage(call: AnsweredCall, id: string, notes: Notes): OpenAIMessage {
  for (const part of call.result.parts) if (part.kind === 'media') notes.leftOut(part)
  return { role: 'tool', tool_call_id: id, content: answerText(call) }
}

function assistantPart(
  said: Said,
  notes: Notes,
): (OpenAITextPart | { type: 'refusal'; refusal: string })[] {
  if (said.kind === 'text' && said.raw?.['type'] === 'refusal') {
    return [{ type: 'refusal', refusal: said.text }]
  }
  return textPart(said, notes)
}

function textPart(said: Said, notes: Notes): OpenAITextPart[] {
  if (said.kind === 'text') return said.text === '' ? [] : [{ type: 'text', text: said.text }]
  if (!isMarkOf(said)) notes.leftOut(said)
  return []
}

/** It says where a step begins, and nothing else. */
export function isMarkOf(said: Said): boolean {
  return said.kind === 'other' && said.type === 'step-start'
}

function userPart(said: Said, notes: Notes): OpenAIUserPart[] {
  if (said.kind !== 'media') return textPart(said, notes)
  const part = mediaPart(said)
  if (part === undefined) notes.leftOut(said)
  return part === undefined ? [] : [part]
}

function mediaPart(said: SaidMedia): OpenAIUserPart | undefined {
  const { media, fileId, name, form, raw } = said
  if (form === 'openai' && raw !== undefined) return raw as object as OpenAIUserPart
  const url = addressOf(said)
  if (media === 'image')
    return url === undefined ? undefined : { type: 'image_url', image_url: { url } }
  if (media === 'audio') {
    const format = /mpeg|mp3/.test(said.mediaType ?? '') ? 'mp3' : 'wav'
    const { data } = said
    return data === undefined ? undefined : { type: 'input_audio', input_audio: { data, format } }
  }
  // An id is the provider's own: no other one knows it.
  if (fileId !== undefined && form === 'responses')
    return { type: 'file', file: { file_id: fileId } }
  if (said.data === undefined || url === undefined) return undefined
  return { type: 'file', file: { file_data: url, filename: name ?? 'file' } }
}

/** Where it is: bytes as a data URL. */
export function addressOf({ data, mediaType, url }: SaidMedia): string | undefined {
  if (data === undefined) return url
  return `data:${mediaType ?? 'application/octet-stream'};base64,${data}`
}

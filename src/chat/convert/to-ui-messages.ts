import type { UIMessage, UIPart, UIToolState } from '../providers/ui.ts'
import { readPaired } from './pair-results.ts'
import type { ConversionNote, Entry, Notes, Said, SaidCall } from './said.ts'
import { answerText, type AnsweredCall } from './steps.ts'
import { addressOf } from './to-openai.ts'

/** Messages for the chats of the AI SDK. */
export interface ForUI {
  readonly messages: UIMessage[]
  /** What was left out or changed. */
  readonly notes: readonly ConversionNote[]
}

/**
 * Messages of any shape as the AI SDK's chats show them: a call and its result are one part, and what a model
 * said between calls is one message in steps, under the id of its first. A call without a result stays, as
 * one that has not ended. `UIMessage`s go as they came, but for what the store added.
 */
export function toUIMessages(messages: readonly object[]): ForUI {
  const { entries, notes } = readPaired(messages)
  const made: UIMessage[] = []
  // The calls of the message that what follows may be a step of.
  let calls: (string | undefined)[] = []
  for (const entry of entries) {
    const { role, ui } = entry
    if (ui !== undefined) {
      const { createdAt: _createdAt, ...message } = ui
      made.push(message as object as UIMessage)
      calls = []
      continue
    }
    const parts = entry.said.flatMap((each) => partOf(each, notes))
    if (parts.length === 0) continue
    const own = entry.said.flatMap((each) => (each.kind === 'call' ? [each.id] : []))
    const isStep = role === 'assistant' && calls.length > 0 && !own.some((id) => calls.includes(id))
    if (isStep) made.at(-1)!.parts.push({ type: 'step-start' }, ...parts)
    else made.push(messageOf(entry, parts))
    // Where it calls no more, the answer is whole.
    calls = role !== 'assistant' || own.length === 0 ? [] : isStep ? [...calls, ...own] : own
  }
  return { messages: made, notes: notes.all }
}

function messageOf({ id, role, metadata }: Entry, parts: UIPart[]): UIMessage {
  const shown = role === 'developer' ? 'system' : role
  return { id, role: shown, ...(metadata !== undefined && { metadata }), parts }
}

function partOf(said: Said, notes: Notes): UIPart[] {
  switch (said.kind) {
    case 'text':
      return said.text === '' ? [] : [{ type: 'text', text: said.text }]
    case 'thought':
      // What is encrypted says nothing to a reader.
      return said.text === '' ? [] : [{ type: 'reasoning', text: said.text }]
    case 'media': {
      const url = addressOf(said)
      const { mediaType = said.media === 'image' ? 'image/*' : 'application/octet-stream', name } =
        said
      if (url !== undefined)
        return [{ type: 'file', mediaType, url, ...(name !== undefined && { filename: name }) }]
      break
    }
    case 'call':
      return [toolPart(said)]
    default:
  }
  notes.leftOut(said)
  return []
}

function toolPart(call: SaidCall): UIPart {
  const { name, id = '' } = call
  const base = { toolCallId: id, ...stateOf(call) }
  return name === ''
    ? { type: 'dynamic-tool', toolName: 'unknown', ...base }
    : { type: `tool-${name}`, ...base }
}

function stateOf(call: SaidCall): UIToolState {
  const { result } = call
  const input = call.input ?? {}
  if (result === undefined) return { state: 'input-available', input }
  const answered = call as AnsweredCall
  if (result.isError) return { state: 'output-error', input, errorText: answerText(answered) }
  return { state: 'output-available', input, output: result.value ?? '' }
}

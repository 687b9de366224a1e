import type { ResponsesInputPart, ResponsesItem, ResponsesMessage } from '../providers/responses.ts'
import { readPaired } from './pair-results.ts'
import type { ConversionNote, Entry, Fields, Notes, Said, SaidMedia } from './said.ts'
import { answerText, argumentsOf, CallIds, stepsOf, type AnsweredCall, type Step } from './steps.ts'
import { addressOf, isMarkOf } from './to-openai.ts'

/** Items for OpenAI's Responses. */
export interface ForResponses {
  /** The `input` of a request. */
  readonly input: ResponsesItem[]
  /** What was left out or changed. */
  readonly notes: readonly ConversionNote[]
}

/** Ids that OpenAI made; it refuses others. */
const OWN_ID = /^[a-z]{2,6}_/

/**
 * Messages of any shape as the `input` of a request to OpenAI's Responses. Its own items go as they came, but
 * for what the store added; what it thought stays with the item that it led to, or is left out with it.
 */
export function toResponses(messages: readonly object[]): ForResponses {
  const { entries, notes } = readPaired(messages)
  const ids = new CallIds()
  const input = entries.flatMap((entry) => itemsOf(entry, notes, ids))
  return { input, notes: notes.all }
}

function itemsOf(entry: Entry, notes: Notes, ids: CallIds): ResponsesItem[] {
  const { role, said } = entry
  if (role === 'assistant')
    return stepsOf(entry, notes).flatMap((step) => stepItems(step, notes, ids))
  const item = said[0]?.item
  if (item !== undefined) return [withoutOurs(item)]
  const content = said.flatMap((each) => inputPart(each, notes))
  if (content.length === 0) return []
  return [{ type: 'message', role, content: shortened(content) }]
}

function shortened(parts: ResponsesInputPart[]): string | ResponsesInputPart[] {
  const [first] = parts
  return parts.length === 1 && first?.type === 'input_text' ? first.text : parts
}

function stepItems(step: Step, notes: Notes, ids: CallIds): ResponsesItem[] {
  const made: { readonly said: Said; readonly items: ResponsesItem[] }[] = []
  let before: Fields | undefined
  for (const said of step.said) {
    // All that an item says goes with it.
    const isSame = said.item !== undefined && said.item === before
    if (!isSame) made.push({ said, items: saidItems(said, notes) })
    before = said.item
  }
  const calls = step.calls.filter((call) => !call.isBuiltIn || isOwn(call) || !noted(call, notes))
  const named = calls.map((call) => ({ call, id: ids.of(call) }))
  for (const { call, id } of named) made.push({ said: call, items: [callItem(call, id)] })
  const last = made.findLastIndex(({ said, items }) => items.length > 0 && said.kind !== 'thought')
  const items = made.flatMap(({ said, items: own }, i) => {
    if (own.length > 0 && i > last)
      notes.add(said.from, 'what the model thought was left out: what followed is not there')
    return i > last ? [] : own
  })
  return [...joined(items), ...named.map(({ call, id }) => outputItem(call, id, notes))]
}

function noted(call: AnsweredCall, notes: Notes): true {
  notes.leftOut(call)
  return true
}

/** Texts of one message that was no item are one message. */
function joined(items: readonly ResponsesItem[]): ResponsesItem[] {
  const all: ResponsesItem[] = []
  for (const item of items) {
    const last = all.at(-1) as ResponsesMessage | undefined
    if (isPlainAnswer(item) && isPlainAnswer(last))
      last.content = `${last.content}\n\n${item.content}`
    else all.push(item)
  }
  return all
}

function isPlainAnswer(
  item: ResponsesItem | undefined,
): item is ResponsesMessage & { content: string } {
  const { role, content, id } = (item ?? {}) as Partial<ResponsesMessage>
  return role === 'assistant' && typeof content === 'string' && id === undefined
}

function saidItems(said: Said, notes: Notes): ResponsesItem[] {
  if (said.item !== undefined) return [withoutOurs(said.item)]
  if (isOwn(said) && said.kind !== 'text' && said.kind !== 'media') {
    return [withoutOurs(said.raw as Fields)]
  }
  if (said.kind === 'text') return said.text === '' ? [] : [answer(said)]
  if (!isMarkOf(said)) notes.leftOut(said)
  return []
}

function answer(said: Said): ResponsesItem {
  const content = said.kind === 'text' ? said.text : ''
  return { type: 'message', role: 'assistant', content }
}

function isOwn({ form, raw }: Said): boolean {
  return form === 'responses' && raw !== undefined
}

/** An item as OpenAI gave it: a call that was saved as a message has a role, and no content. */
function withoutOurs(item: Fields): ResponsesItem {
  const { id, createdAt: _createdAt, metadata: _metadata, ...fields } = item
  const { role: _role, content: _content, ...bare } = fields
  const isTheirs = typeof id === 'string' && OWN_ID.test(id)
  const isCall = /_call(?:_output)?$/.test(String(item['type']))
  return { ...(isTheirs && { id }), ...(isCall ? bare : fields) } as object as ResponsesItem
}

function callItem(call: AnsweredCall, id: string): ResponsesItem {
  if (isOwn(call)) return withoutOurs(call.raw as Fields)
  if (call.raw?.['type'] === 'custom') {
    return { type: 'custom_tool_call', call_id: id, name: call.name, input: call.text ?? '' }
  }
  return { type: 'function_call', call_id: id, name: call.name, arguments: argumentsOf(call) }
}

function outputItem(call: AnsweredCall, id: string, notes: Notes): ResponsesItem {
  const { result } = call
  if (isOwn(result) && isOwn(call)) return withoutOurs(result.raw as Fields)
  const isCustom = String(call.raw?.['type']).startsWith('custom')
  const type = isCustom ? 'custom_tool_call_output' : 'function_call_output'
  const hasMedia = result.parts.some(({ kind }) => kind === 'media')
  const output = hasMedia
    ? result.parts.flatMap((part) => inputPart(part, notes))
    : answerText(call)
  return { type, call_id: id, output }
}

function inputPart(said: Said, notes: Notes): ResponsesInputPart[] {
  if (said.kind === 'text') return said.text === '' ? [] : [{ type: 'input_text', text: said.text }]
  const part = said.kind === 'media' ? mediaPart(said) : undefined
  if (part === undefined && !isMarkOf(said)) notes.leftOut(said)
  return part === undefined ? [] : [part]
}

function mediaPart(said: SaidMedia): ResponsesInputPart | undefined {
  const { media, fileId, form, name, raw, data } = said
  if (isOwn(said)) return raw as object as ResponsesInputPart
  const url = addressOf(said)
  if (media === 'image')
    return url === undefined ? undefined : { type: 'input_image', image_url: url, detail: 'auto' }
  if (media === 'audio') {
    const format = /mpeg|mp3/.test(said.mediaType ?? '') ? 'mp3' : 'wav'
    return data === undefined ? undefined : { type: 'input_audio', input_audio: { data, format } }
  }
  if (fileId !== undefined && form === 'openai') return { type: 'input_file', file_id: fileId }
  if (url === undefined) return undefined
  return data === undefined
    ? { type: 'input_file', file_url: url }
    : { type: 'input_file', file_data: url, filename: name ?? 'file' }
}

import type {
  AnthropicBlock,
  AnthropicImageBlock,
  AnthropicMessage,
  AnthropicTextBlock,
  AnthropicToolResultBlock,
} from '../providers/anthropic.ts'
import { readPaired } from './pair-results.ts'
import {
  isFields,
  type ConversionNote,
  type Entry,
  type Notes,
  type Said,
  type SaidCall,
  type SaidMedia,
} from './said.ts'
import { stepsOf, type AnsweredCall, type Step } from './steps.ts'
import { isMarkOf } from './to-openai.ts'

/** A request's `system` and `messages` for Anthropic. */
export interface ForAnthropic {
  /** Instructions of all system messages, in their order; absent without any. */
  readonly system?: AnthropicTextBlock[]
  readonly messages: AnthropicMessage[]
  /** What was left out or changed. */
  readonly notes: readonly ConversionNote[]
}

const IMAGE_TYPES = /^image\/(?:jpeg|png|gif|webp)$/

/**
 * Messages of any shape as a request to Anthropic has them: users and assistants take turns, a user begins,
 * and the results of calls stand at the beginning of the message behind. System messages become `system`,
 * wherever they stood; one that stood behind others is noted.
 */
export function toAnthropic(messages: readonly object[]): ForAnthropic {
  const { entries, notes } = readPaired(messages)
  const turns = new Turns(notes)
  const system: AnthropicTextBlock[] = []
  for (const entry of entries) {
    if (entry.role === 'system' || entry.role === 'developer') {
      system.push(...entry.said.flatMap((each) => textBlock(each, notes)))
      if (turns.hasBegun) notes.add(entry.id, 'instructions were moved to the beginning')
    } else if (entry.role === 'user') {
      turns.say(
        'user',
        entry.said.flatMap((each) => blockOf(each, notes)),
      )
    } else {
      for (const step of stepsOf(entry, notes)) turns.saySteps(step, entry)
    }
  }
  return { ...(system.length > 0 && { system }), messages: turns.messages, notes: notes.all }
}

/** Messages while they are made. */
class Turns {
  readonly messages: { role: 'user' | 'assistant'; content: AnthropicBlock[] }[] = []
  readonly #notes: Notes
  readonly #ids = new Set<string>()

  constructor(notes: Notes) {
    this.#notes = notes
  }

  get hasBegun(): boolean {
    return this.messages.length > 0
  }

  /** Adds to the message of the same role, or begins one. */
  say(role: 'user' | 'assistant', blocks: AnthropicBlock[]): void {
    if (blocks.length === 0) return
    const last = this.messages.at(-1)
    if (last?.role === role) last.content.push(...blocks)
    else this.messages.push({ role, content: blocks })
  }

  saySteps(step: Step, entry: Entry): void {
    const said = step.said.flatMap((each) => blockOf(each, this.#notes))
    const calls = step.calls.filter((call) => {
      if (call.isBuiltIn) this.#notes.leftOut(call)
      return !call.isBuiltIn
    })
    if (!this.hasBegun) {
      this.#notes.add(entry.id, 'an answer was left out: a user must begin')
      return
    }
    const named = calls.map((call) => ({ call, id: this.#idOf(call) }))
    const uses = named.map(({ call, id }) => toolUse(call, id, this.#notes))
    this.say('assistant', [...said, ...uses])
    this.say(
      'user',
      named.map(({ call, id }) => toolResult(call, id, this.#notes)),
    )
  }

  /** An id that Anthropic takes, and that no other call of the request has. */
  #idOf({ id = 'call' }: SaidCall): string {
    const base = id.replace(/[^a-zA-Z0-9_-]/g, '_')
    let own = base
    for (let n = 2; this.#ids.has(own); n++) own = `${base}_${n}`
    this.#ids.add(own)
    return own
  }
}

function toolUse(call: AnsweredCall, id: string, notes: Notes): AnthropicBlock {
  if (call.form === 'anthropic') return { ...call.raw, id } as object as AnthropicBlock
  const { name, input = {} } = call
  if (isFields(input)) return { type: 'tool_use', id, name, input }
  notes.add(
    call.from,
    `the arguments of ${JSON.stringify(call.id ?? name)} are no object: they became { arguments }`,
  )
  return { type: 'tool_use', id, name, input: { arguments: input } }
}

function toolResult(call: AnsweredCall, id: string, notes: Notes): AnthropicToolResultBlock {
  const { result } = call
  if (result.form === 'anthropic')
    return { ...result.raw, tool_use_id: id } as AnthropicToolResultBlock
  const parts = result.parts.flatMap((part) => blockOf(part, notes)) as AnthropicImageBlock[]
  const isText = result.parts.every(({ kind }) => kind === 'text')
  const text = result.parts.map((part) => (part.kind === 'text' ? part.text : '')).join('')
  const content = isText ? text : parts
  return {
    type: 'tool_result',
    tool_use_id: id,
    ...(content.length > 0 && { content }),
    ...(result.isError && { is_error: true }),
  }
}

function textBlock(said: Said, notes: Notes): AnthropicTextBlock[] {
  if (said.kind !== 'text') {
    if (!isMarkOf(said)) notes.leftOut(said)
    return []
  }
  // It refuses texts that are empty.
  if (said.text.trim() === '') return []
  const { raw, text, form } = said
  const isOwn =
    raw !== undefined && form === 'own' && ('cache_control' in raw || 'citations' in raw)
  return [isOwn ? (raw as object as AnthropicTextBlock) : { type: 'text', text }]
}

function blockOf(said: Said, notes: Notes): AnthropicBlock[] {
  const { raw, form } = said
  if (form === 'anthropic' && raw !== undefined) return [raw as object as AnthropicBlock]
  if (
    said.kind === 'other' &&
    /_tool_(?:use|result)$|^server_tool_use$|^container_upload$/.test(said.type)
  ) {
    return [raw as object as AnthropicBlock]
  }
  if (said.kind !== 'media') return textBlock(said, notes)
  const block = mediaBlock(said)
  if (block === undefined) notes.leftOut(said)
  return block === undefined ? [] : [block]
}

function mediaBlock({
  media,
  url,
  data,
  mediaType = '',
  name,
}: SaidMedia): AnthropicBlock | undefined {
  if (media === 'image') {
    if (data === undefined)
      return isWeb(url) ? { type: 'image', source: { type: 'url', url } } : undefined
    const source = { type: 'base64', media_type: mediaType, data }
    return IMAGE_TYPES.test(mediaType)
      ? ({ type: 'image', source } as AnthropicImageBlock)
      : undefined
  }
  if (media === 'audio') return undefined
  const title = name === undefined ? {} : { title: name }
  if (data === undefined)
    return isWeb(url) ? { type: 'document', source: { type: 'url', url }, ...title } : undefined
  if (mediaType === 'application/pdf') {
    return { type: 'document', source: { type: 'base64', media_type: mediaType, data }, ...title }
  }
  if (!mediaType.startsWith('text/')) return undefined
  const text = Buffer.from(data, 'base64').toString()
  return {
    type: 'document',
    source: { type: 'text', media_type: 'text/plain', data: text },
    ...title,
  }
}

function isWeb(url: string | undefined): url is string {
  return url !== undefined && /^https?:/.test(url)
}

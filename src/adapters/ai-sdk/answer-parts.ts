import type { UIMessageChunk } from 'ai'
import type { StreamDelta } from '../../chat/streams/step.ts'

/** A part as it is stored: its fields by name. */
export type Part = { type: string } & Record<string, unknown>

type Chunk = { type: string } & Record<string, unknown>

/** Parts that are what their chunks are. */
const WHOLE = new Set([
  'file',
  'reasoning-file',
  'source-url',
  'source-document',
  'custom',
  'steering-message',
])

/**
 * The parts of an answer while its chunks come, as the AI SDK makes them of the same chunks, and for each chunk
 * what changes in the stored message. Of a call whose input still comes there is `rawInput`, and no `input`.
 */
export class AnswerParts {
  readonly parts: Part[]
  #metadata: unknown
  /** Where the text and the reasoning stand that still come, by type and id. */
  readonly #open = new Map<string, number>()

  constructor(parts: readonly Part[] = [], metadata?: unknown) {
    this.parts = structuredClone([...parts])
    this.#metadata = metadata
  }

  /** True while a part still comes: an answer that ends so was cut off. */
  get isOpen(): boolean {
    return this.parts.some(isOpen)
  }

  /** What changes with this chunk, which is nothing for many. */
  take(given: UIMessageChunk): StreamDelta[] {
    const chunk = given as Chunk
    const { type } = chunk
    if (/^(?:text|reasoning)-(?:start|delta|end)$/.test(type)) return this.#text(chunk)
    if (type.startsWith('tool-')) return this.#tool(chunk)
    if (type.startsWith('data-')) return chunk['transient'] === true ? [] : this.#data(chunk)
    if (WHOLE.has(type)) return this.#push(clean(chunk))
    switch (type) {
      case 'start-step':
        return this.#push({ type: 'step-start' })
      case 'reset-step':
        this.parts.splice(this.#stepStart())
        this.#open.clear()
        return [{ at: ['parts'], set: this.parts }]
      case 'start':
      case 'finish':
      case 'message-metadata':
        return this.#describe(chunk['messageMetadata'])
      default:
        return []
    }
  }

  #text(chunk: Chunk): StreamDelta[] {
    const { id, delta, citations, providerMetadata } = chunk
    const [type = '', what] = chunk.type.split('-')
    const name = `${type} ${String(id)}`
    if (what === 'start') {
      this.#open.set(name, this.parts.length)
      const own = type === 'reasoning' ? { id } : {}
      return this.#push(clean({ type, ...own, text: '', state: 'streaming', providerMetadata }))
    }
    const i = this.#open.get(name)
    if (i === undefined) return []
    if (what === 'end') {
      this.#open.delete(name)
      const changed = clean({ state: 'done', citations, providerMetadata })
      return this.#set(i, { ...this.parts[i]!, ...changed })
    }
    const part = this.parts[i]!
    const text = `${part['text'] as string}${delta as string}`
    if (providerMetadata !== undefined) return this.#set(i, { ...part, text, providerMetadata })
    part['text'] = text
    return [{ at: ['parts', i, 'text'], append: delta as string }]
  }

  #tool(chunk: Chunk): StreamDelta[] {
    const { type, toolName, dynamic } = chunk
    const isInput = type.startsWith('tool-input')
    const i = this.#call(chunk, isInput ? this.#stepStart() : 0)
    const known = this.parts[i]
    if (type === 'tool-input-delta') return this.#input(i, chunk)
    if (known !== undefined) {
      return STATES[type] === undefined
        ? this.#approve(i, known, chunk)
        : this.#set(i, called(known, chunk))
    }
    if (!isInput) return []
    const name = dynamic === true ? 'dynamic-tool' : `tool-${String(toolName)}`
    const own = dynamic === true ? { toolName } : {}
    return this.#push(called({ type: name, ...own, toolCallId: chunk['toolCallId'] }, chunk))
  }

  #input(i: number, { inputTextDelta }: Chunk): StreamDelta[] {
    const part = this.parts[i]
    if (part === undefined) return []
    const append = inputTextDelta as string
    part['rawInput'] = ((part['rawInput'] as string | undefined) ?? '') + append
    return [{ at: ['parts', i, 'rawInput'], append }]
  }

  #approve(i: number, known: Part, chunk: Chunk): StreamDelta[] {
    const { type, approvalId: id, approved, reason, providerExecuted, providerMetadata } = chunk
    if (type === 'tool-approval-request') {
      const { approvalDescriptor: descriptor, inputSchemaInput, isAutomatic, signature } = chunk
      const what = { descriptor, inputSchemaInput, requestReason: reason, isAutomatic, signature }
      return this.#set(i, {
        ...known,
        state: 'approval-requested',
        approval: clean({ id, ...what }),
      })
    }
    if (type === 'tool-output-denied') return this.#set(i, { ...known, state: 'output-denied' })
    if (type !== 'tool-approval-response') return []
    const approval = { ...(known['approval'] as object), ...clean({ id, approved, reason }) }
    const changed = clean({ providerExecuted, callProviderMetadata: providerMetadata })
    return this.#set(i, { ...known, state: 'approval-responded', approval, ...changed })
  }

  #data(chunk: Chunk): StreamDelta[] {
    const { type, id } = chunk
    const i = this.parts.findIndex((part) => part.type === type && part['id'] === id)
    if (id === undefined || i < 0) return this.#push(clean(chunk))
    return this.#set(i, { ...this.parts[i]!, data: chunk['data'] })
  }

  #describe(metadata: unknown): StreamDelta[] {
    if (metadata === undefined || metadata === null) return []
    this.#metadata = merged(this.#metadata, metadata)
    return [{ at: ['metadata'], set: this.#metadata }]
  }

  /** Where the call stands, or -1. */
  #call({ toolCallId, approvalId }: Chunk, from: number): number {
    if (toolCallId === undefined) {
      return this.parts.findIndex(
        ({ approval }) => (approval as Chunk | undefined)?.['id'] === approvalId,
      )
    }
    const i = this.parts.findLastIndex((part) => part['toolCallId'] === toolCallId)
    return i < from ? -1 : i
  }

  #stepStart(): number {
    return this.parts.findLastIndex(({ type }) => type === 'step-start') + 1
  }

  #push(part: Part): StreamDelta[] {
    this.parts.push(part)
    return [{ at: ['parts', this.parts.length - 1], set: part }]
  }

  #set(i: number, part: Part): StreamDelta[] {
    this.parts[i] = part
    return [{ at: ['parts', i], set: part }]
  }
}

/** What a call becomes with what is known of its input or its output. */
const STATES: Readonly<Record<string, string>> = {
  'tool-input-start': 'input-streaming',
  'tool-input-available': 'input-available',
  'tool-input-error': 'output-error',
  'tool-output-available': 'output-available',
  'tool-output-error': 'output-error',
}

function called(known: Part, chunk: Chunk): Part {
  const { type, title, toolMetadata, providerExecuted, providerMetadata } = chunk
  const { output, errorText, preliminary, inputEncoding } = chunk
  const state = STATES[type]!
  const of = state.startsWith('output') ? 'resultProviderMetadata' : 'callProviderMetadata'
  const stays = clean({ title, toolMetadata, providerExecuted, [of]: providerMetadata })
  const input = type.startsWith('tool-input') ? chunk['input'] : known['input']
  // Where the input never became JSON, its text is all that is known of it.
  const rawInput = type === 'tool-output-error' ? known['rawInput'] : undefined
  const goes = { input, rawInput, output, errorText, preliminary, inputEncoding }
  return clean({ ...known, ...stays, state, ...goes })
}

/** True for a part that still comes. */
export function isOpen({ state }: Part): boolean {
  return state === 'streaming' || state === 'input-streaming'
}

/** The same without fields that are undefined. */
function clean<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}

/** Fields of objects meet, at any depth; all else is replaced. */
function merged(before: unknown, after: unknown): unknown {
  if (!isFields(before) || !isFields(after)) return after
  const both: Record<string, unknown> = { ...before }
  for (const [name, value] of Object.entries(after)) {
    if (name !== '__proto__') both[name] = merged(both[name], value)
  }
  return both
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

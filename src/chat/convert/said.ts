/*
 * What messages of any shape say, in one form: every converter reads this, so that each shape is read in one
 * place and written in one place. What a message has in the shape that is wanted goes out as it came: `raw`.
 */

/** Fields of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>

/** Whose shape a part has. */
export type Form = 'own' | 'openai' | 'responses' | 'anthropic' | 'ai-sdk' | 'ui' | 'gemini'

interface Base {
  readonly form: Form
  /** As it came; undefined where it was no object. */
  readonly raw: Fields | undefined
  /** The message that it was in. */
  readonly from: string
  /** The same as an item of Responses, where it is one. */
  readonly item?: Fields | undefined
}

/** Text. */
export interface SaidText extends Base {
  readonly kind: 'text'
  readonly text: string
}

/** A picture, a sound or a file. It has an address, bytes as base64, or an id at the provider. */
export interface SaidMedia extends Base {
  readonly kind: 'media'
  readonly media: 'image' | 'audio' | 'file'
  readonly mediaType: string | undefined
  readonly url?: string | undefined
  readonly data?: string | undefined
  readonly fileId?: string | undefined
  readonly name?: string | undefined
}

/** What a model thought. */
export interface SaidThought extends Base {
  readonly kind: 'thought'
  readonly text: string
}

/** A call of a tool. */
export interface SaidCall extends Base {
  readonly kind: 'call'
  readonly id: string | undefined
  readonly name: string
  /** Parsed, where it came as text and could be. */
  readonly input: unknown
  /** As it came, where it came as text. */
  readonly text: string | undefined
  /** A tool of one provider alone: no other shape has a word for it. */
  readonly isBuiltIn: boolean
  /** What answers it: found by `pairResults`, or in the part itself. */
  result: SaidResult | undefined
}

/** What a tool answered. */
export interface SaidResult extends Base {
  readonly kind: 'result'
  readonly id: string | undefined
  readonly name: string | undefined
  /** Text and media of it. */
  readonly parts: readonly (SaidText | SaidMedia)[]
  /** The same as a value. */
  readonly value: unknown
  readonly isError: boolean
  /** `closeToolCalls` saved it: any other result counts before it. */
  readonly isInterruption: boolean
}

/** What one provider alone has a word for. */
export interface SaidOther extends Base {
  readonly kind: 'other'
  readonly type: string
}

/** One thing that a message says. */
export type Said = SaidText | SaidMedia | SaidThought | SaidCall | SaidResult | SaidOther

/** A message, or items of a model that follow each other. */
export interface Entry {
  readonly id: string
  readonly role: 'system' | 'developer' | 'user' | 'assistant'
  readonly name: string | undefined
  readonly said: readonly Said[]
  readonly metadata: unknown
  /** It is a `UIMessage` as it stands. */
  readonly ui: Fields | undefined
  /** Items of Responses: those that follow join it. */
  readonly isItems: boolean
}

/** What a conversion left out or changed, so that nothing is lost unseen. */
export interface ConversionNote {
  /** The message or item that it was in. */
  readonly messageId: string
  /** What became of what. */
  readonly what: string
}

/** Gathers notes. */
export class Notes {
  readonly all: ConversionNote[] = []

  add(messageId: string, what: string): void {
    this.all.push({ messageId, what })
  }

  leftOut(said: Said): void {
    this.add(said.from, `${nameOf(said)} was left out`)
  }
}

/** How a note names it. */
export function nameOf(said: Said): string {
  switch (said.kind) {
    case 'text':
      return 'a text'
    case 'media':
      return `a part with ${said.media === 'image' ? 'an image' : said.media === 'audio' ? 'a sound' : 'a file'}`
    case 'thought':
      return 'what the model thought'
    case 'call':
      return `the call ${JSON.stringify(said.id ?? said.name)}`
    case 'result':
      return `the result of ${JSON.stringify(said.id ?? said.name ?? '')}`
    case 'other':
      return `a part of the type ${JSON.stringify(said.type)}`
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

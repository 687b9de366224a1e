/*
 * What a history holds, for the compiler alone: `openChatHistory<'anthropic'>()` takes and gives messages of
 * Anthropic's API. Nothing of it is looked at when the program runs: every history takes every shape.
 */
import type { AnthropicMessage } from './anthropic.ts'
import type { GeminiContent } from './gemini.ts'
import type { LangChainMessage } from './langchain.ts'
import type { OpenAIMessage } from './openai.ts'
import type { ResponsesItem, ResponsesMessage } from './responses.ts'
import type { UIMessage } from './ui.ts'

/** What has a role, and all that a conversation in this shape is made of. */
export interface ProviderShape<Message, Item = Message> {
  readonly message: Message
  readonly item: Item
}

/** The shapes of messages by the names of those who made them. */
export interface ProviderShapes {
  /** OpenAI's Chat Completions. */
  readonly openai: ProviderShape<OpenAIMessage>
  /** OpenAI's Responses. */
  readonly responses: ProviderShape<ResponsesMessage, ResponsesItem>
  /** Anthropic's Messages. */
  readonly anthropic: ProviderShape<AnthropicMessage>
  /** Gemini's contents. */
  readonly gemini: ProviderShape<GeminiContent>
  /** The AI SDK's `UIMessage`. */
  readonly 'ai-sdk': ProviderShape<UIMessage>
  /** What LangChain stores. None of it has a role: `saveItems` takes it. */
  readonly langchain: ProviderShape<never, LangChainMessage>
}

/** A name of a shape. */
export type ProviderName = keyof ProviderShapes

/** What the store adds to an item, or takes from it. */
export interface ItemFields {
  /** At most 1024 bytes. With an id of your own, saving is idempotent. Default: made by the store. */
  readonly id?: string
  /** RFC 3339. Default: the time of saving. */
  readonly createdAt?: string
}

/** Anything that a conversation may hold without a role: its `type` says what it is. */
export interface AnyItem extends ItemFields {
  readonly type: string
  readonly role?: undefined
  readonly [field: string]: unknown
}

/** A message or item of this shape, with what the store adds to it. */
export type Kept<Item> = Item extends unknown ? Item & ItemFields : never

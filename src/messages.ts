/*
 * `everthread/messages`: what providers and frameworks call a message, for `openChatHistory<'anthropic'>()` and
 * the like, and the way from what is stored to what each of them takes. Nothing of theirs is needed for it.
 */
export { type ForAnthropic, toAnthropic } from './chat/convert/to-anthropic.ts'
export { type ForGemini, toGemini } from './chat/convert/to-gemini.ts'
export { type ForOpenAI, toOpenAI } from './chat/convert/to-openai.ts'
export { type ForResponses, toResponses } from './chat/convert/to-responses.ts'
export { type ForUI, toUIMessages } from './chat/convert/to-ui-messages.ts'
export type {
  CleanContentOptions,
  CleanContentReport,
  ContentData,
  SaveContentOptions,
  SavedContent,
  StoredContent,
} from './chat/content/content-options.ts'
export type { ContentRef } from './chat/content/content-ref.ts'
export type { ConversionNote } from './chat/convert/said.ts'
export type { ConversationItem } from './chat/message.ts'
export type * from './chat/providers/anthropic.ts'
export type * from './chat/providers/gemini.ts'
export type * from './chat/providers/langchain.ts'
export type * from './chat/providers/openai.ts'
export type * from './chat/providers/responses.ts'
export type * from './chat/providers/shapes.ts'
export type * from './chat/providers/ui.ts'

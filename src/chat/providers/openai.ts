/* Messages of OpenAI's Chat Completions, and of the many servers that take the same. */

/** Text of an OpenAI message. */
export interface OpenAITextPart {
  type: 'text'
  text: string
}

/** What a user's message to OpenAI may have as content. */
export type OpenAIUserPart =
  | OpenAITextPart
  | { type: 'image_url'; image_url: { url: string; detail?: 'auto' | 'low' | 'high' } }
  | { type: 'input_audio'; input_audio: { data: string; format: 'wav' | 'mp3' } }
  | { type: 'file'; file: { file_data?: string; file_id?: string; filename?: string } }

/** What an assistant's message of OpenAI may have as content. */
export type OpenAIAssistantPart = OpenAITextPart | { type: 'refusal'; refusal: string }

/** A tool call of an OpenAI message. */
export type OpenAIToolCall =
  | { id: string; type: 'function'; function: { name: string; arguments: string } }
  | { id: string; type: 'custom'; custom: { name: string; input: string } }

/** Instructions to the model. */
export interface OpenAISystemMessage {
  role: 'system' | 'developer'
  content: string | OpenAITextPart[]
  name?: string
}

/** What a user said. */
export interface OpenAIUserMessage {
  role: 'user'
  content: string | OpenAIUserPart[]
  name?: string
}

/** What the model answered, and the tools that it calls. */
export interface OpenAIAssistantMessage {
  role: 'assistant'
  /** May be left out beside tool calls. */
  content?: string | OpenAIAssistantPart[] | null
  tool_calls?: OpenAIToolCall[]
  name?: string
  refusal?: string | null
  audio?: { id: string } | null
}

/** What a tool answered. */
export interface OpenAIToolMessage {
  role: 'tool'
  content: string | OpenAITextPart[]
  tool_call_id: string
}

/** A message of OpenAI's Chat Completions, as a request has it. */
export type OpenAIMessage =
  OpenAISystemMessage | OpenAIUserMessage | OpenAIAssistantMessage | OpenAIToolMessage

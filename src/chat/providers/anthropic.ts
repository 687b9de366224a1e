/* Messages of Anthropic's Messages API. Its instructions are no message: they are the request's `system`. */

/** Marks what may be cached up to here. */
export interface AnthropicCacheControl {
  type: 'ephemeral'
  ttl?: '5m' | '1h'
}

/** Text of an Anthropic message. */
export interface AnthropicTextBlock {
  type: 'text'
  text: string
  cache_control?: AnthropicCacheControl | null
}

/** A picture. */
export interface AnthropicImageBlock {
  type: 'image'
  source:
    | {
        type: 'base64'
        media_type: 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp'
        data: string
      }
    | { type: 'url'; url: string }
  cache_control?: AnthropicCacheControl | null
}

/** A PDF or a text. */
export interface AnthropicDocumentBlock {
  type: 'document'
  source:
    | { type: 'base64'; media_type: 'application/pdf'; data: string }
    | { type: 'text'; media_type: 'text/plain'; data: string }
    | { type: 'url'; url: string }
  title?: string | null
  context?: string | null
  citations?: { enabled?: boolean } | null
  cache_control?: AnthropicCacheControl | null
}

/** A call of a tool. */
export interface AnthropicToolUseBlock {
  type: 'tool_use'
  id: string
  name: string
  input: unknown
  cache_control?: AnthropicCacheControl | null
}

/** What a tool answered; the message with it follows the one that calls. */
export interface AnthropicToolResultBlock {
  type: 'tool_result'
  tool_use_id: string
  content?: string | (AnthropicTextBlock | AnthropicImageBlock | AnthropicDocumentBlock)[]
  is_error?: boolean
  cache_control?: AnthropicCacheControl | null
}

/** What the model thought. The signature is checked: it goes back unchanged. */
export interface AnthropicThinkingBlock {
  type: 'thinking'
  thinking: string
  signature: string
}

/** The same, encrypted. */
export interface AnthropicRedactedThinkingBlock {
  type: 'redacted_thinking'
  data: string
}

/** Blocks of tools that the provider runs, with the fields that each of them has. */
export interface AnthropicServerToolBlock {
  type:
    | 'server_tool_use'
    | 'web_search_tool_result'
    | 'web_fetch_tool_result'
    | 'code_execution_tool_result'
    | 'bash_code_execution_tool_result'
    | 'text_editor_code_execution_tool_result'
    | 'mcp_tool_use'
    | 'mcp_tool_result'
    | 'container_upload'
  [field: string]: unknown
}

/** A block of content of an Anthropic message. */
export type AnthropicBlock =
  | AnthropicTextBlock
  | AnthropicImageBlock
  | AnthropicDocumentBlock
  | AnthropicToolUseBlock
  | AnthropicToolResultBlock
  | AnthropicThinkingBlock
  | AnthropicRedactedThinkingBlock
  | AnthropicServerToolBlock

/** A message of Anthropic's Messages API. */
export interface AnthropicMessage {
  role: 'user' | 'assistant'
  content: string | AnthropicBlock[]
}

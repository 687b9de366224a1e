/* What LangChain stores of a message: `toDict()`, `mapChatMessagesToStoredMessages`. It has no role. */

/** A tool call of a LangChain message. */
export interface LangChainToolCall {
  name: string
  args: Record<string, unknown>
  id?: string
  type?: 'tool_call'
}

/** The fields of a LangChain message. */
export interface LangChainData {
  content: string | { type: string; [field: string]: unknown }[]
  role?: string | undefined
  name?: string | undefined
  id?: string
  tool_calls?: LangChainToolCall[]
  tool_call_id?: string | undefined
  status?: 'success' | 'error'
  additional_kwargs?: Record<string, unknown>
  response_metadata?: Record<string, unknown>
  [field: string]: unknown
}

/** A stored message of LangChain. */
export interface LangChainMessage {
  type: 'human' | 'ai' | 'system' | 'developer' | 'tool' | 'function' | 'generic' | 'remove'
  data: LangChainData
}

/* `UIMessage` of the AI SDK: what it keeps of a chat. A call and its result are one part. */

/** Text. */
export interface UITextPart {
  type: 'text'
  text: string
  state?: 'streaming' | 'done'
}

/** A file, by its address: also a data URL. */
export interface UIFilePart {
  type: 'file'
  mediaType: string
  filename?: string
  url: string
}

/** What the model thought. */
export interface UIReasoningPart {
  type: 'reasoning'
  id?: string
  text: string
  state?: 'streaming' | 'done'
}

/** A tool call as far as it has come: with its result, once that is there. */
export type UIToolState =
  | { state: 'input-streaming'; input?: unknown; rawInput?: string }
  | { state: 'input-available'; input: unknown }
  | { state: 'approval-requested'; input: unknown; approval: { id: string } }
  | {
      state: 'approval-responded'
      input: unknown
      approval: { id: string; approved: boolean; reason?: string }
    }
  | { state: 'output-available'; input: unknown; output: unknown; preliminary?: boolean }
  | { state: 'output-error'; input: unknown; errorText: string }
  | {
      state: 'output-denied'
      input: unknown
      approval: { id: string; approved: false; reason?: string }
    }

/** A call of a tool whose name is part of the type. */
export type UIToolPart = {
  type: `tool-${string}`
  toolCallId: string
  title?: string
  providerExecuted?: boolean
} & UIToolState

/** A call of a tool that is known at run time only. */
export type UIDynamicToolPart = {
  type: 'dynamic-tool'
  toolName: string
  toolCallId: string
  title?: string
  providerExecuted?: boolean
} & UIToolState

/** A part of a `UIMessage`. */
export type UIPart =
  | UITextPart
  | UIFilePart
  | UIReasoningPart
  | UIToolPart
  | UIDynamicToolPart
  | { type: 'custom'; kind: `${string}.${string}` }
  | { type: 'source-url'; sourceId: string; url: string; title?: string }
  | {
      type: 'source-document'
      sourceId: string
      mediaType: string
      title: string
      filename?: string
    }
  | { type: 'reasoning-file'; mediaType: string; url: string }
  | { type: `data-${string}`; id?: string; data: unknown }
  | { type: 'steering-message'; id: string; parts: (UITextPart | UIFilePart)[] }
  | { type: 'step-start' }

/** A message of the AI SDK's chats. */
export interface UIMessage {
  id: string
  role: 'system' | 'user' | 'assistant'
  metadata?: unknown
  parts: UIPart[]
}

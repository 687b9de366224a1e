/* `Content` of the Gemini API. Its instructions are no content: they are the request's `systemInstruction`. */

/** A part of a Gemini content: what it has tells what it is. */
export interface GeminiPart {
  text?: string
  /** The text is what the model thought. */
  thought?: boolean
  thoughtSignature?: string
  inlineData?: { mimeType?: string; data?: string; displayName?: string }
  fileData?: { mimeType?: string; fileUri?: string; displayName?: string }
  functionCall?: { id?: string; name?: string; args?: Record<string, unknown> }
  functionResponse?: { id?: string; name?: string; response?: Record<string, unknown> }
  executableCode?: { language?: string; code?: string }
  codeExecutionResult?: { outcome?: string; output?: string }
}

/** A content of Gemini. A result of a function is a user's. */
export interface GeminiContent {
  role: 'user' | 'model'
  parts: GeminiPart[]
}

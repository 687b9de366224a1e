export interface DamagedPart {
  readonly conversationId: string
  readonly id?: string
  /** Content that a message refers to. */
  readonly content?: string
}

export interface ExportReport {
  readonly conversations: number
  readonly messages: number
  /** Contents that were written, each once. */
  readonly contents: number
  /** Conversations that were asked for and are not there. */
  readonly missing: readonly string[]
  /** What is damaged and was left out: a message, or without an id the rest of a conversation. */
  readonly damaged: readonly DamagedPart[]
  /** False when another process may have acknowledged messages that are not in the export. */
  readonly complete: boolean
  readonly seconds: number
  /** The conversation that was not written, when the export was stopped. */
  readonly stoppedAt?: string
}

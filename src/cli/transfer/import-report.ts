/** One thing that was not imported. */
export interface ImportProblem {
  /** Of the file, from 1. */
  readonly line: number
  readonly conversationId?: string
  /** 0-based index in its conversation. */
  readonly message?: number
  readonly id?: string
  /**
   * - `bad-line`: nothing of the line was imported.
   * - `conflict`: the store has another message with this id, and keeps it.
   * - `refused`: the store does not take this message at all.
   */
  readonly kind: 'bad-line' | 'conflict' | 'refused'
  readonly reason: string
}

export interface ImportReport {
  /** Conversations that were gone through to their end. */
  readonly conversations: number
  /** Those among them without a message: the store has no empty conversations. */
  readonly emptyConversations: number
  readonly messages: {
    /** Acknowledged by the store: `new` and `alreadyThere` together. */
    readonly acknowledged: number
    readonly new: number
    readonly alreadyThere: number
    readonly conflicts: number
    readonly refused: number
    /** Acknowledged, but by fewer than two places. */
    readonly singleCopy: number
  }
  readonly badLines: number
  /** Fields beside `conversationId` and `messages`, with the number of lines that had them: the first hundred. */
  readonly ignoredFields: Readonly<Record<string, number>>
  /** The first ones; the counts above have all. */
  readonly problems: readonly ImportProblem[]
  readonly seconds: number
  /** The first line that was not gone through, when the import stopped early. */
  readonly stoppedAtLine?: number
}

import type { ImportFormat } from '../formats/format.ts'

export interface ProblemPlace {
  /** Of the file, from 1: the line, or the conversation of a file that is one JSON document or a zip. */
  readonly line: number
  /** How people find it, where that is not `line NUMBER`. */
  readonly where?: string
}

/** One thing that was not imported. */
export interface ImportProblem extends ProblemPlace {
  readonly conversationId?: string
  /** 0-based index in its conversation. */
  readonly message?: number
  readonly id?: string
  /**
   * - `bad-line`: nothing of the line was imported.
   * - `conflict`: the store has another message with this id, and keeps it.
   * - `refused`: the store does not take this message at all; the others of its conversation are saved.
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
  /** Large contents that messages refer to. */
  readonly contents: number
  readonly badLines: number
  /** The forms that were recognised, with the number of conversations in each, branches not counted. */
  readonly formats: Readonly<Partial<Record<ImportFormat, number>>>
  /** Conversations that were made of branches. */
  readonly branches: number
  /** What was left out on purpose, by what it is: how often. */
  readonly leftOut: Readonly<Record<string, number>>
  /** Fields beside `conversationId` and `messages`, with the number of lines that had them: the first hundred. */
  readonly ignoredFields: Readonly<Record<string, number>>
  /** The first ones; the counts above have all. */
  readonly problems: readonly ImportProblem[]
  readonly seconds: number
  /** What the numbers of problems, and `stoppedAtLine`, count. */
  readonly unit: 'line' | 'conversation'
  /** The first line, or conversation, that was not gone through, when the import stopped early. */
  readonly stoppedAtLine?: number
}

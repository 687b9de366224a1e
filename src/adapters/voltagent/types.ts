/*
 * What VoltAgent hands to a storage adapter and takes from it, as far as it is looked at. Its own types are assignable to
 * these; `test/adapters/voltagent` compiles both together.
 */

/** A `UIMessage`: any other field is kept as well. */
export interface VoltAgentMessage {
  readonly id: string
  readonly role: 'system' | 'user' | 'assistant'
  readonly metadata?: unknown
  readonly parts: readonly unknown[]
}

/** Which messages are read. */
export interface VoltAgentMessagesOptions {
  /** The latest so many of those that the rest of the options leave. Default, and 0: all. */
  readonly limit?: number
  /** Only messages that were saved before this. */
  readonly before?: Date
  /** Only messages that were saved after this. */
  readonly after?: Date
  readonly roles?: readonly string[]
}

/** What a conversation is created with. */
export interface VoltAgentNewConversation {
  /** At most 512 bytes. */
  readonly id: string
  /** The agent that the conversation is held with; may be empty. */
  readonly resourceId: string
  /** 1 to 256 bytes. */
  readonly userId: string
  /** May be empty. Of one of more than 2,048 bytes lists show the beginning. */
  readonly title: string
  /** At most 97 fields of JSON, each of at most 65,536 bytes. */
  readonly metadata: Record<string, unknown>
}

/** A conversation, without its messages. */
export interface VoltAgentConversation extends VoltAgentNewConversation {
  /** ISO 8601. */
  readonly createdAt: string
  /** Time of the latest change of any of these fields, ISO 8601; messages do not change it. */
  readonly updatedAt: string
}

/** Which conversations are listed, and in which order. */
export interface VoltAgentConversationQuery {
  readonly userId?: string
  readonly resourceId?: string
  /** Default, and 0: 50. */
  readonly limit?: number
  /** Default: 0. */
  readonly offset?: number
  /** Default: the newest first. */
  readonly orderBy?: 'created_at' | 'updated_at' | 'title'
  /** Default with `orderBy`: `ASC`. */
  readonly orderDirection?: 'ASC' | 'DESC'
}

/** A step of an agent's run, as far as it is looked at. */
export interface VoltAgentStep {
  readonly id: string
  readonly conversationId: string
  readonly userId: string
  readonly operationId: string
  readonly stepIndex: number
}

/** Which steps are read. */
export interface VoltAgentStepsOptions {
  /** The last so many. Default, and 0: all. */
  readonly limit?: number
  readonly operationId?: string
}

/** Whose working memory is meant: that of a conversation or that of a user. */
export interface VoltAgentMemoryScope {
  readonly scope: 'conversation' | 'user'
  readonly conversationId?: string
  readonly userId?: string
}

/** The state of a workflow's run, as far as it is looked at. */
export interface VoltAgentWorkflowState {
  readonly id: string
  readonly workflowId: string
  readonly status: 'running' | 'suspended' | 'completed' | 'cancelled' | 'error'
  readonly userId?: string
  readonly metadata?: Record<string, unknown>
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** Which runs are listed, the newest first. */
export interface VoltAgentRunQuery {
  readonly workflowId?: string
  readonly status?: VoltAgentWorkflowState['status']
  /** Created at this time or later. */
  readonly from?: Date
  /** Created at this time or before. */
  readonly to?: Date
  /** Default, and 0: all. */
  readonly limit?: number
  /** Default: 0. */
  readonly offset?: number
  readonly userId?: string
  /** Only runs that have all of these in their metadata. */
  readonly metadata?: Record<string, unknown>
}

/** An error that VoltAgent knows by its name and code; `details` names the conversation. Nothing was changed. */
export class VoltAgentMemoryError extends Error {
  readonly code: string
  readonly details: { readonly conversationId: string }

  constructor(name: string, code: string, what: string, conversationId: string) {
    super(`conversation ${JSON.stringify(conversationId)} ${what}`)
    this.name = name
    this.code = code
    this.details = { conversationId }
  }
}

/** There is no conversation of this id. Nothing was changed. */
export class ConversationNotFoundError extends VoltAgentMemoryError {
  constructor(conversationId: string) {
    super('ConversationNotFoundError', 'CONVERSATION_NOT_FOUND', 'was not found', conversationId)
  }
}

/** A conversation of this id is there already. Nothing was changed. */
export class ConversationAlreadyExistsError extends VoltAgentMemoryError {
  constructor(conversationId: string) {
    const code = 'CONVERSATION_ALREADY_EXISTS'
    super('ConversationAlreadyExistsError', code, 'already exists', conversationId)
  }
}

/*
 * The part of `@mastra/core` that the adapter extends and names, so that it compiles without the package, which is
 * too heavy to be a dependency. `test/adapters/mastra` compiles the adapter against the package itself.
 */

declare module '@mastra/core/memory' {
  export interface StorageThreadType {
    id: string
    title?: string
    resourceId: string
    createdAt: Date
    updatedAt: Date
    metadata?: Record<string, unknown>
  }

  export interface MastraDBMessage {
    id: string
    role: 'user' | 'assistant' | 'system' | 'signal'
    createdAt: Date
    threadId?: string
    resourceId?: string
    type?: string
    content: { format: 2; parts: { type: string }[]; metadata?: Record<string, unknown> }
  }
}

declare module '@mastra/core/storage' {
  import type { MastraDBMessage, StorageThreadType } from '@mastra/core/memory'

  export interface StorageOrderBy<Field extends 'createdAt' | 'updatedAt'> {
    field?: Field
    direction?: 'ASC' | 'DESC'
  }

  interface Page {
    total: number
    page: number
    perPage: number | false
    hasMore: boolean
  }

  interface ListMessagesOptions {
    include?: {
      id: string
      threadId?: string
      withPreviousMessages?: number
      withNextMessages?: number
    }[]
    perPage?: number | false
    page?: number
    filter?: {
      dateRange?: { start?: Date; end?: Date; startExclusive?: boolean; endExclusive?: boolean }
      metadata?: Record<string, string | number | boolean | null>
    }
    orderBy?: StorageOrderBy<'createdAt'>
    includeTotal?: boolean
  }

  export type StorageListMessagesInput = ListMessagesOptions & {
    threadId: string | string[]
    resourceId?: string
  }
  export type StorageListMessagesByResourceIdInput = ListMessagesOptions & { resourceId: string }
  export type StorageListMessagesOutput = Page & { messages: MastraDBMessage[] }

  export interface StorageListThreadsInput {
    perPage?: number | false
    page?: number
    orderBy?: StorageOrderBy<'createdAt' | 'updatedAt'>
    filter?: { resourceId?: string; metadata?: Record<string, unknown> }
  }
  export type StorageListThreadsOutput = Page & { threads: StorageThreadType[] }

  export interface StorageCloneThreadInput {
    sourceThreadId: string
    newThreadId?: string
    resourceId?: string
    title?: string
    metadata?: Record<string, unknown>
    options?: {
      messageLimit?: number
      messageFilter?: { startDate?: Date; endDate?: Date; messageIds?: string[] }
    }
  }
  export interface StorageCopyThreadOutput {
    thread: StorageThreadType
    messageIdMap?: Record<string, string>
  }

  export interface StorageResourceType {
    id: string
    workingMemory?: string
    metadata?: Record<string, unknown>
    createdAt: Date
    updatedAt: Date
  }

  export abstract class MemoryStorage {
    readonly supportsPartialThreadUpdate?: boolean
    constructor()
    abstract dangerouslyClearAll(): Promise<void>
    abstract getThreadById(of: {
      threadId: string
      resourceId?: string
    }): Promise<StorageThreadType | null>
    abstract saveThread(of: { thread: StorageThreadType }): Promise<StorageThreadType>
    abstract updateThread(of: {
      id: string
      title?: string
      metadata?: Record<string, unknown>
    }): Promise<StorageThreadType>
    abstract deleteThread(of: { threadId: string }): Promise<void>
    abstract listThreads(of: StorageListThreadsInput): Promise<StorageListThreadsOutput>
    abstract listMessages(of: StorageListMessagesInput): Promise<StorageListMessagesOutput>
    listMessagesByResourceId(
      of: StorageListMessagesByResourceIdInput,
    ): Promise<StorageListMessagesOutput>
    abstract listMessagesById(of: {
      messageIds: string[]
    }): Promise<{ messages: MastraDBMessage[] }>
    abstract saveMessages(of: {
      messages: MastraDBMessage[]
    }): Promise<{ messages: MastraDBMessage[] }>
    abstract updateMessages(of: {
      messages: (Partial<Omit<MastraDBMessage, 'createdAt' | 'content'>> & {
        id: string
        content?: object
      })[]
    }): Promise<MastraDBMessage[]>
    deleteMessages(messageIds: string[]): Promise<void>
    copyThread(of: StorageCloneThreadInput): Promise<StorageCopyThreadOutput>
    updateThreadResourceId(of: { threadId: string; resourceId: string }): Promise<StorageThreadType>
    getResourceById(of: { resourceId: string }): Promise<StorageResourceType | null>
    saveResource(of: { resource: StorageResourceType }): Promise<StorageResourceType>
    updateResource(of: {
      resourceId: string
      workingMemory?: string
      metadata?: Record<string, unknown>
    }): Promise<StorageResourceType>
    protected parseOrderBy<Field extends 'createdAt' | 'updatedAt'>(
      orderBy?: StorageOrderBy<Field>,
      defaultDirection?: 'ASC' | 'DESC',
    ): { field: 'createdAt' | 'updatedAt'; direction: 'ASC' | 'DESC' }
    protected validateMetadataKeys(metadata: Record<string, unknown> | undefined): void
    protected validatePaginationInput(page: number, perPage: number | false): void
  }
}

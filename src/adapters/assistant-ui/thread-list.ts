import type { ChatHistory } from '../../chat/chat-history.ts'
import type { Conversation } from '../../chat/message.ts'
import { isStorageError, StorageError } from '../../core/errors.ts'

/** A thread of a list, as assistant-ui has it. */
export interface ThreadMetadata {
  readonly status: 'regular' | 'archived'
  readonly remoteId: string
  readonly externalId?: string | undefined
  readonly title?: string | undefined
  readonly lastMessageAt?: Date | undefined
  readonly custom?: Record<string, unknown> | undefined
}

/** What a title is streamed as. */
export type TitleChunk =
  | {
      readonly type: 'part-start'
      readonly path: readonly number[]
      readonly part: { readonly type: 'text' }
    }
  | { readonly type: 'text-delta'; readonly path: readonly number[]; readonly textDelta: string }
  | { readonly type: 'part-finish'; readonly path: readonly number[] }

/** How threads are listed. */
export interface ThreadListOptions<Message> {
  /** Whose threads these are, 1 to 256 bytes: all others are not found. Default: all of the tenant. */
  readonly owner?: string
  /** Threads of one page, 1 to 1,000. Default: 50. */
  readonly pageSize?: number
  /** Makes a title of the messages of a thread; without it threads get none. */
  readonly makeTitle?: (messages: readonly Message[]) => Promise<string>
}

/** A `RemoteThreadListAdapter`: a thread is a conversation with a record. */
export interface ThreadList<Message> {
  list(options?: {
    after?: string | undefined
  }): Promise<{ threads: ThreadMetadata[]; nextCursor?: string }>
  fetch(threadId: string): Promise<ThreadMetadata>
  initialize(
    threadId: string,
    options?: { custom?: Record<string, unknown> | undefined },
  ): Promise<{ remoteId: string; externalId: undefined }>
  rename(remoteId: string, title: string): Promise<void>
  updateCustom(remoteId: string, custom: Record<string, unknown> | undefined): Promise<void>
  archive(remoteId: string): Promise<void>
  unarchive(remoteId: string): Promise<void>
  delete(remoteId: string): Promise<void>
  generateTitle(remoteId: string, messages: readonly Message[]): Promise<ReadableStream<TitleChunk>>
}

/**
 * The threads of a tenant or an owner, the latest message first. The history is opened and closed by the caller:
 * `threadList<ThreadMessage>(history, { owner })`. What is not there, or not this owner's, is `NOT_FOUND`.
 */
export function threadList<Message>(
  history: ChatHistory,
  { owner, pageSize = 50, makeTitle }: ThreadListOptions<Message> = {},
): ThreadList<Message> {
  const own = async (remoteId: string): Promise<Conversation> => {
    const found = await history.getConversation(remoteId)
    const isOwn = found !== undefined && (owner === undefined || found.owner === owner)
    if (isOwn) return found
    // Of somebody else's nothing is told, not even that it is there.
    const isKnown = found === undefined || found.complete
    const code = isKnown ? 'NOT_FOUND' : 'UNAVAILABLE'
    throw new StorageError(code, `there is no thread ${JSON.stringify(remoteId)}`)
  }
  const update = async (remoteId: string, patch: object): Promise<void> => {
    await own(remoteId)
    await history.updateConversation(remoteId, patch)
  }
  return {
    list: async ({ after } = {}) => {
      const { conversations, nextCursor } = await history.listConversations({
        limit: pageSize,
        ...(owner !== undefined && { owner }),
        ...(after !== undefined && { before: after }),
      })
      const threads = conversations.map(metadataOf)
      return { threads, ...(nextCursor !== undefined && { nextCursor }) }
    },
    fetch: async (threadId) => metadataOf(await own(threadId)),
    initialize: async (threadId, { custom } = {}) => {
      const fields = custom !== undefined && { metadata: { custom } }
      try {
        await history.createConversation(threadId, {
          ...(owner !== undefined && { owner }),
          ...fields,
        })
      } catch (error) {
        // It is there: as it was left, if it is this owner's.
        if (!isStorageError(error, 'CONFLICT')) throw error
        await own(threadId)
      }
      return { remoteId: threadId, externalId: undefined }
    },
    rename: (remoteId, title) => update(remoteId, { title: title === '' ? null : title }),
    updateCustom: (remoteId, custom) => update(remoteId, { metadata: { custom: custom ?? null } }),
    archive: (remoteId) => update(remoteId, { metadata: { archived: true } }),
    unarchive: (remoteId) => update(remoteId, { metadata: { archived: null } }),
    delete: async (remoteId) => {
      const found = await history.getConversation(remoteId)
      if (found !== undefined && owner !== undefined) await own(remoteId)
      await history.deleteConversation(remoteId)
    },
    generateTitle: async (remoteId, messages) => {
      const title = await makeTitle?.(messages)
      if (title !== undefined && title !== '') await update(remoteId, { title })
      return streamed(title ?? '')
    },
  }
}

function metadataOf({
  conversationId,
  title,
  lastActivityAt,
  metadata,
}: Conversation): ThreadMetadata {
  const custom = metadata?.['custom'] as Record<string, unknown> | undefined
  return {
    status: metadata?.['archived'] === true ? 'archived' : 'regular',
    remoteId: conversationId,
    lastMessageAt: new Date(lastActivityAt),
    ...(title !== undefined && { title }),
    ...(custom !== undefined && { custom }),
  }
}

function streamed(title: string): ReadableStream<TitleChunk> {
  return new ReadableStream({
    start(controller) {
      if (title !== '') {
        controller.enqueue({ type: 'part-start', path: [], part: { type: 'text' } })
        controller.enqueue({ type: 'text-delta', path: [0], textDelta: title })
        controller.enqueue({ type: 'part-finish', path: [0] })
      }
      controller.close()
    },
  })
}

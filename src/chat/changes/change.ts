import type { Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { ChatMessage } from '../message.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** What every change has. */
export interface ChangeBase {
  /** Missing where a change is not about one conversation. */
  readonly conversationId?: string
  /**
   * Hand it to `subscribe` as `since`, in any process: what follows has all that came after this change, and
   * may begin with changes that came shortly before it.
   */
  readonly cursor: string
}

/** A message that was saved, or that this process sees for the first time. */
export interface SavedChange<Extras extends object | ProviderName = {}> extends ChangeBase {
  readonly type: 'message'
  readonly conversationId: string
  readonly message: ChatMessage<Extras>
  /** Where it stands: messages that arrive late have a smaller one than those before them. */
  readonly position: Stamp
}

/** A message that has another content or place now. */
export interface UpdatedChange<Extras extends object | ProviderName = {}> extends ChangeBase {
  readonly type: 'updated'
  readonly conversationId: string
  readonly message: ChatMessage<Extras>
  readonly position: Stamp
}

/** A message that was deleted. */
export interface RemovedChange extends ChangeBase {
  readonly type: 'removed'
  readonly conversationId: string
  readonly id: string
  readonly position: Stamp
}

/** A clear, or a cut of retention: all messages at and before this position are gone. */
export interface ClearedChange extends ChangeBase {
  readonly type: 'cleared'
  readonly conversationId: string
  readonly through: Stamp
}

/**
 * Something changed that is not told one by one: read the conversation again from `after` to `before`, which
 * `getHistory` takes as they are. Without them: from its beginning, to its end.
 */
export interface ResyncChange extends ChangeBase {
  readonly type: 'resync'
  readonly after?: string
  readonly before?: string
}

/** Once, when all that was there has been told: from here on changes come as they happen. */
export interface ReadyChange extends ChangeBase {
  readonly type: 'ready'
}

/** One change of a conversation, told by its `type`. */
export type ChangeEvent<Extras extends object | ProviderName = {}> =
  | SavedChange<Extras>
  | UpdatedChange<Extras>
  | RemovedChange
  | ClearedChange
  | ResyncChange
  | ReadyChange

/**
 * Changes as they come, for one consumer. They end with `close`, with the signal, and with the history; `next`
 * rejects only for what no repetition mends, such as reads that a strategy does not support.
 */
export interface Changes<Extras extends object | ProviderName = {}>
  extends AsyncIterableIterator<ChangeEvent<Extras>>, AsyncDisposable {
  /** The cursor of the last change that was taken; undefined before the first one. */
  readonly cursor: string | undefined
  /** Ends it; what was not taken yet is told to whoever goes on with the cursor. */
  close(): void
}

/** `waiting`: no place answers. What happens meanwhile is told when one does. */
export interface FeedState {
  readonly state: 'live' | 'waiting'
  /** Why it waits. */
  readonly error?: unknown
}

/** What is followed, and from where on. */
export interface SubscribeOptions {
  /** Default: all conversations of the tenant. */
  readonly conversationId?: string
  /**
   * A cursor of a change: begin after it. `beginning`: begin with all messages that are there, which needs a
   * `conversationId`. Default: only what comes from now on.
   */
  readonly since?: string
  /** Its abort ends the iteration. */
  readonly signal?: AbortSignal
  /**
   * Shortest pause between two looks at the places, 20 to 60,000; without changes the pauses grow, of a
   * conversation up to fifty times. Own writes of this process need no look. Milliseconds. Default: 100.
   */
  readonly pollInterval?: number
  /** Changes that wait for a slow consumer, 1 to 10,000; then it is told from the store. Default: 1000. */
  readonly bufferMax?: number
  /** Told when the places stop answering, and when they answer again. */
  readonly onState?: (state: FeedState) => void
}

/** What the changes of a conversation are made of, before its messages are decoded. */
export type RawChange =
  | { readonly type: 'message' | 'updated'; readonly item: Item }
  | { readonly type: 'removed'; readonly id: string; readonly position: Stamp }
  | { readonly type: 'cleared'; readonly through: Stamp }
  | { readonly type: 'resync'; readonly after?: Stamp; readonly before?: Stamp }
  | { readonly type: 'ready' }

import type { LatestKey } from '../backend/replica-backend.ts'
import { invalid } from '../core/errors.ts'
import { CONVERSATION_ID_BYTES_MAX, PAGE_ITEMS_MAX } from '../core/limits.ts'
import { byDefault, integer, list, text } from '../core/option-kinds.ts'
import type { OptionTable, Resolved } from '../core/options.ts'
import { mapLimited } from '../core/semaphore.ts'
import { slicesOf } from '../core/slices-of.ts'
import { checkIds } from '../store/check-arguments.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import type { ConversationReader } from './conversation-reader.ts'
import { parseConversationKey, tenantPrefix } from './keys.ts'
import type { ChatMessage } from './message.ts'
import type { ProviderName } from './providers/shapes.ts'

/** Conversations that are looked at at once. */
const AT_ONCE = 16
/** Most ids of one call: the id of a fork's marker is asked for beside them. */
const IDS_MAX: number = PAGE_ITEMS_MAX - 1

/** Where messages are looked for. */
export interface FindMessagesOptions {
  /**
   * The conversations to look in, at most 1000; costs one read of each. Default: all of the tenant, those with the
   * latest activity first, until every id is found.
   */
  readonly conversationIds?: readonly string[]
  /** Without `conversationIds`: how many are looked in at most, 1 to 100,000. Default: 1000. */
  readonly maxConversations?: number
}

/** A message, and the conversation that it was found in. */
export interface FoundMessage<Extras extends object | ProviderName = {}> {
  readonly conversationId: string
  readonly message: ChatMessage<Extras>
}

/** What was found of the ids. */
export interface FoundMessages<Extras extends object | ProviderName = {}> {
  /**
   * In the order of the ids. An id that several of the `conversationIds` have comes once for each of them; without
   * those, once, from the one with the latest activity.
   */
  readonly messages: readonly FoundMessage<Extras>[]
  /** False: there are more than `maxConversations`, and what was not found may be in those. */
  readonly done: boolean
  /** False when another process may have acknowledged messages that are not here. */
  readonly complete: boolean
}

export const FIND_MESSAGES: OptionTable<FindMessagesOptions, 'maxConversations'> = {
  conversationIds: list(text(CONVERSATION_ID_BYTES_MAX)),
  maxConversations: byDefault(1_000, integer(1, 100_000)),
}

/** What messages are found in. */
export interface SearchedTenant<Extras extends object | ProviderName> {
  readonly store: StrategicStorageManager
  readonly tenant: string
  readonly reader: ConversationReader<Extras>
}

/** Finds messages by their ids alone. */
export async function findMessages<Extras extends object | ProviderName>(
  parts: SearchedTenant<Extras>,
  ids: readonly string[],
  { conversationIds, maxConversations }: Resolved<typeof FIND_MESSAGES>,
): Promise<FoundMessages<Extras>> {
  checkIds(ids)
  checkLength('ids', ids, IDS_MAX)
  const wanted = [...new Set(ids)]
  if (conversationIds !== undefined) {
    checkLength('conversationIds', conversationIds, PAGE_ITEMS_MAX)
    const { found, complete } = await look(parts, [...new Set(conversationIds)], wanted, false)
    return { messages: inOrder(found, wanted), done: true, complete }
  }
  const { found, ...rest } = await findAnywhere(parts, wanted, maxConversations)
  return { messages: inOrder(found, wanted), ...rest }
}

interface Found<Extras extends object | ProviderName> {
  readonly found: readonly FoundMessage<Extras>[]
  readonly complete: boolean
}

/** Looks in the conversations with the latest activity, until nothing is left to be found. */
async function findAnywhere<Extras extends object | ProviderName>(
  parts: SearchedTenant<Extras>,
  ids: readonly string[],
  most: number,
): Promise<Found<Extras> & { readonly done: boolean }> {
  const prefix = tenantPrefix(parts.tenant)
  const found = new Map<string, FoundMessage<Extras>>()
  let complete = true
  let before: LatestKey | undefined
  for (let looked = 0; looked < most && found.size < ids.length;) {
    const limit = Math.min(PAGE_ITEMS_MAX, most - looked)
    const page = await parts.store.listLatest({ prefix, limit, ...(before && { before }) })
    complete &&= page.complete
    for (const keys of slicesOf(page.keys, AT_ONCE)) {
      const missing = ids.filter((id) => !found.has(id))
      if (missing.length === 0) break
      const here = keys.map(({ key }) => parseConversationKey(key)!.conversationId)
      const read = await look(parts, here, missing, true)
      complete &&= read.complete
      for (const each of read.found.toReversed()) found.set(each.message.id, each)
    }
    looked += page.keys.length
    before = page.keys.at(-1)
    if (page.done || before === undefined)
      return { found: [...found.values()], done: true, complete }
  }
  return { found: [...found.values()], done: found.size === ids.length, complete }
}

/** `ownOnly`: what a fork shares is found where it stands. */
async function look<Extras extends object | ProviderName>(
  { reader }: SearchedTenant<Extras>,
  conversations: readonly string[],
  ids: readonly string[],
  ownOnly: boolean,
): Promise<Found<Extras>> {
  if (ids.length === 0) return { found: [], complete: true }
  const reads = await mapLimited(conversations, AT_ONCE, async (conversationId) => {
    const { messages, complete } = await reader.messagesOf(conversationId, ids, ownOnly)
    return { found: messages.map((message) => ({ conversationId, message })), complete }
  })
  return {
    found: reads.flatMap(({ found }) => found),
    complete: reads.every(({ complete }) => complete),
  }
}

function inOrder<Extras extends object | ProviderName>(
  found: readonly FoundMessage<Extras>[],
  ids: readonly string[],
): readonly FoundMessage<Extras>[] {
  const places = new Map(ids.map((id, i) => [id, i]))
  return found.toSorted((a, b) => places.get(a.message.id)! - places.get(b.message.id)!)
}

function checkLength(name: string, given: readonly string[], most: number): void {
  if (given.length > most) throw invalid(`${name} must be at most ${most}, got ${given.length}`)
}

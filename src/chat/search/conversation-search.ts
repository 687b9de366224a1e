import type { FoundItem } from '../../backend/replica-backend.ts'
import { invalid } from '../../core/errors.ts'
import { decodeJson, isJson } from '../../core/json.ts'
import { msOfDateTime } from '../../core/iso-time.ts'
import { itemValue } from '../../core/merge.ts'
import { resolve, type Resolved } from '../../core/options.ts'
import { mapLimited } from '../../core/semaphore.ts'
import { excerptOf } from '../../core/search/excerpt.ts'
import { indexedItem } from '../../core/search/indexed-texts.ts'
import { parseSearch, type SearchTerms } from '../../core/search/search-terms.ts'
import { stampFloor, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { ItemsSearch } from '../../strategy/read/read-port.ts'
import { parseCursor } from '../cursor.ts'
import { conversationKey, parseConversationKey, tenantPrefix } from '../keys.ts'
import type { ChatMessage } from '../message.ts'
import type { Owner } from '../records/record.ts'
import { conversationOf, OWNER_ID, recordOf } from './record-keys.ts'
import { SEARCH, type SearchHit, type SearchOptions, type SearchPage } from './search-options.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** Pages of the store that are read for one page of an owner. */
const OWNER_ROUNDS_MAX = 20
/** Conversations whose owner is asked for at once. */
const OWNERS_AT_ONCE = 16

type DecodeMessage<Extras extends object | ProviderName> = (
  key: string,
  item: FoundItem['item'],
) => Promise<ChatMessage<Extras> | undefined>

/** Searches the conversations of one tenant. */
export class ConversationSearch<Extras extends object | ProviderName = {}> {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #decode: DecodeMessage<Extras>

  constructor(store: StrategicStorageManager, tenant: string, decode: DecodeMessage<Extras>) {
    this.#store = store
    this.#tenant = tenant
    this.#decode = decode
  }

  async page(given: SearchOptions): Promise<SearchPage<Extras>> {
    const options = resolve('', given, SEARCH)
    const { owner, limit } = options
    const terms = parseSearch(options.text)
    const query = this.#query(options, terms)
    const hits: SearchHit<Extras>[] = []
    const isOwned = owner === undefined ? undefined : this.#ownerCheck(owner)
    let next = query.before
    let complete = true
    for (let round = 0; round < OWNER_ROUNDS_MAX && hits.length < limit; round++) {
      const page = await this.#store.searchItems({
        ...query,
        limit: isOwned === undefined ? limit - hits.length : limit,
        ...(next !== undefined && { before: next }),
      })
      complete &&= page.complete
      next = page.next
      const owned = isOwned === undefined ? page.found : await filtered(page.found, isOwned)
      const taken = owned.slice(0, limit - hits.length)
      if (taken.length < owned.length) next = taken.at(-1)!.item.position
      for (const hit of await Promise.all(taken.map((one) => this.#hit(one, terms)))) {
        if (hit !== undefined) hits.push(hit)
      }
      if (next === undefined) break
    }
    return { hits, complete, ...(next !== undefined && { nextCursor: next }) }
  }

  #query(options: Resolved<typeof SEARCH>, terms: SearchTerms): Omit<ItemsSearch, 'limit'> {
    const { conversationId, role, before, after, cursor } = options
    const isTitles = options.in === 'titles'
    if (isTitles && role !== undefined) throw invalid('role must be left out: titles have none')
    const place = isTitles ? recordOf : (key: string): string => key
    const bounds = [
      ...(before === undefined ? [] : [stampFloor(msOfDateTime(before)!)]),
      ...(cursor === undefined ? [] : [parseBound(cursor)]),
    ].sort()
    return {
      terms,
      prefix: place(tenantPrefix(this.#tenant)),
      ...(conversationId !== undefined && {
        key: place(conversationKey(this.#tenant, conversationId)),
      }),
      ...(role !== undefined && { role }),
      ...(bounds[0] !== undefined && { before: bounds[0] }),
      ...(after !== undefined && { after: stampFloor(msOfDateTime(after)!) }),
    }
  }

  async #hit({ key, item }: FoundItem, terms: SearchTerms): Promise<SearchHit<Extras> | undefined> {
    const value = itemValue(item)
    const indexed = value === undefined ? undefined : indexedItem(key, item.id, value)
    if (value === undefined || indexed === undefined) return undefined
    const isTitle = key.startsWith('record/')
    const conversation = parseConversationKey(isTitle ? conversationOf(key) : key)!
    const shown = { position: item.position, ...excerptOf(indexed.texts, terms) }
    const { conversationId } = conversation
    if (isTitle) return { conversationId, title: indexed.texts[0]!, ...shown }
    const message = await this.#decode(key, item)
    return message === undefined ? undefined : { conversationId, message, ...shown }
  }

  /** Whose a conversation is, asked once for each. */
  #ownerCheck(owner: string): (one: FoundItem) => Promise<boolean> {
    const known = new Map<string, Promise<boolean>>()
    return async ({ key }) => {
      const record = key.startsWith('record/') ? key : recordOf(key)
      let isOwned = known.get(record)
      if (isOwned === undefined) known.set(record, (isOwned = this.#isOwned(record, owner)))
      return await isOwned
    }
  }

  async #isOwned(record: string, owner: string): Promise<boolean> {
    const { items } = await this.#store.readItemsById(record, [OWNER_ID])
    const value = items[0] === undefined ? undefined : itemValue(items[0])
    return (
      value !== undefined &&
      isJson(value) &&
      decodeJson<Partial<Owner> | null>(value)?.name === owner
    )
  }
}

async function filtered(
  found: readonly FoundItem[],
  isWanted: (one: FoundItem) => Promise<boolean>,
): Promise<readonly FoundItem[]> {
  const wanted = await mapLimited(found, OWNERS_AT_ONCE, isWanted)
  return found.filter((_, i) => wanted[i])
}

function parseBound(cursor: string): Stamp {
  return parseCursor('cursor', cursor)
}

/*
 * The Conversations API of OpenAI, as its unmodified clients call it:
 * https://platform.openai.com/docs/api-reference/conversations
 */
import * as v from 'valibot'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { AnyItem } from '../../chat/providers/shapes.ts'
import { anyObject } from '../http/query-kinds.ts'
import { Refusal } from '../http/refusal.ts'
import { route, type Call, type Route } from '../http/route.ts'
import { itemId, itemOf, newSuffix, shownItem, type GivenItem } from './item.ts'
import { Repeats } from './repeats.ts'

/** Items of one call. The original takes 20, which its own session exceeds. */
const ITEMS_MAX = 1_000
const PAGE_MAX = 100
const PAGE = 20
/** Pairs of metadata, and characters of their names and values. */
const [PAIRS_MAX, NAME_MAX, TEXT_MAX] = [16, 64, 512]

/** Not by a record of valibot, which leaves fields such as `constructor` out. */
const Metadata = v.nullish(anyObject())
const Items = v.pipe(v.array(anyObject()), v.maxLength(ITEMS_MAX))
const NewConversation = v.object({ metadata: Metadata, items: v.nullish(Items) })
const NewMetadata = v.object({ metadata: Metadata })
const NewItems = v.object({ items: Items })
const Page = v.object({
  limit: v.optional(
    v.pipe(
      v.string(),
      v.digits('must be a number'),
      v.transform(Number),
      v.minValue(1),
      v.maxValue(PAGE_MAX),
    ),
    String(PAGE),
  ),
  order: v.optional(v.picklist(['asc', 'desc']), 'desc'),
  after: v.optional(v.string()),
})

type Given = v.InferOutput<typeof Metadata>

const ONE = '/v1/conversations/{conversationId}'

export function conversationRoutes(): readonly Route[] {
  const repeats = new Repeats()
  return [
    route({
      method: 'POST',
      path: '/v1/conversations',
      name: 'createConversation',
      summary: 'Makes a conversation, with its first items.',
      scope: 'write',
      body: NewConversation,
      run: (call) => create(call, repeats),
    }),
    route({
      method: 'GET',
      path: ONE,
      name: 'retrieveConversation',
      summary: 'A conversation and its metadata.',
      scope: 'read',
      run: ({ history, params }) => retrieve(history, params['conversationId']!),
    }),
    route({
      method: 'POST',
      path: ONE,
      name: 'updateConversation',
      summary: 'Puts other metadata in place of that of a conversation.',
      scope: 'write',
      body: NewMetadata,
      run: update,
    }),
    route({
      method: 'DELETE',
      path: ONE,
      name: 'deleteConversation',
      summary: 'Removes a conversation and its items.',
      scope: 'write',
      run: remove,
    }),
    ...itemRoutes(repeats),
  ]
}

function itemRoutes(repeats: Repeats): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: `${ONE}/items`,
      name: 'createItems',
      summary: 'Adds items at the end of a conversation, all of them or none.',
      scope: 'write',
      body: NewItems,
      run: async ({ history, params, body, request }) => {
        const id = params['conversationId']!
        await retrieve(history, id)
        return listOf(await add(history, id, body.items, request, repeats), false)
      },
    }),
    route({
      method: 'GET',
      path: `${ONE}/items`,
      name: 'listItems',
      summary: 'A page of items.',
      scope: 'read',
      query: Page,
      run: list,
    }),
    route({
      method: 'GET',
      path: `${ONE}/items/{itemId}`,
      name: 'retrieveItem',
      summary: 'One item.',
      scope: 'read',
      run: async ({ history, params }) => {
        const [id, item] = [params['conversationId']!, params['itemId']!]
        const found = await history.getMessage(id, item)
        if (found !== undefined) return shownItem(found)
        await retrieve(history, id)
        throw noItem(item)
      },
    }),
    route({
      method: 'DELETE',
      path: `${ONE}/items/{itemId}`,
      name: 'deleteItem',
      summary: 'Removes one item; its id cannot be used again.',
      scope: 'write',
      run: async ({ history, params }) => {
        const [id, item] = [params['conversationId']!, params['itemId']!]
        if ((await history.getMessage(id, item)) === undefined) throw noItem(item)
        await history.deleteMessage(id, item)
        return await retrieve(history, id)
      },
    }),
  ]
}

async function create(
  { history, body, request }: Call<undefined, v.InferOutput<typeof NewConversation>>,
  repeats: Repeats,
): Promise<object> {
  const hasKey = request.headers.has('idempotency-key')
  const { suffix } = hasKey
    ? repeats.of(request, ['conversation'], Date.now())
    : { suffix: newSuffix() }
  const id = `conv_${suffix}`
  const items = checkedItems(body.items ?? [])
  const metadata = checkedMetadata(body.metadata)
  await history.createConversation(id, { metadata })
  if (items.length > 0) await add(history, id, items, request, repeats)
  return await retrieve(history, id)
}

async function retrieve(history: ChatHistory, id: string): Promise<object> {
  const found = await history.getConversation(id)
  if (found === undefined) throw new Refusal(404, `there is no conversation ${JSON.stringify(id)}`)
  const { createdAt = found.lastActivityAt, metadata = {} } = found
  const seconds = Math.floor(Date.parse(createdAt) / 1_000)
  return { id, object: 'conversation', created_at: seconds, metadata }
}

async function update({
  history,
  params,
  body,
}: Call<undefined, v.InferOutput<typeof NewMetadata>>): Promise<object> {
  const id = params['conversationId']!
  const metadata = checkedMetadata(body.metadata)
  const found = await history.getConversation(id)
  // It says that there is none.
  if (found === undefined) return await retrieve(history, id)
  const gone = Object.keys(found.metadata ?? {}).map((name) => [name, null] as const)
  await history.updateConversation(id, {
    metadata: { ...Object.fromEntries(gone), ...metadata },
  })
  return await retrieve(history, id)
}

async function remove({ history, params }: Call<undefined, undefined>): Promise<object> {
  const id = params['conversationId']!
  await retrieve(history, id)
  await history.deleteConversation(id)
  return { id, object: 'conversation.deleted', deleted: true }
}

async function list({
  history,
  params,
  query,
}: Call<v.InferOutput<typeof Page>, undefined>): Promise<object> {
  const id = params['conversationId']!
  const { limit, order, after } = query
  const from = after === undefined ? undefined : await history.getMessageEntry(id, after)
  if (after !== undefined && from === undefined) {
    await retrieve(history, id)
    throw noItem(after)
  }
  const cursor = from && { [order === 'asc' ? 'after' : 'before']: from.position }
  const page = await history.getHistory(id, {
    limit: limit + 1,
    order: order === 'asc' ? 'oldest' : 'newest',
    ...cursor,
  })
  const items = page.messages.slice(0, limit).map(shownItem)
  if (items.length === 0) {
    // Nothing was found where a place is away: that is not said to be all.
    if (!page.complete) throw new Refusal(503, 'a place that may have items cannot be reached')
    if (from === undefined) await retrieve(history, id)
  }
  return listOf(items, page.messages.length > limit)
}

function checkedItems(items: readonly GivenItem[]): readonly GivenItem[] {
  return items.map((item, i) => itemOf(item, `items[${i}]`))
}

/** Adds the items with ids for those that have none: the same ids when it is a repeat. */
async function add(
  history: ChatHistory,
  conversationId: string,
  given: readonly GivenItem[],
  request: Request,
  repeats: Repeats,
): Promise<readonly AnyItem[]> {
  const checked = checkedItems(given)
  const asked = repeats.of(request, [conversationId, given], Date.now())
  const items = checked.map((item, i) => {
    const { id = itemId(item['type'], `${asked.suffix}${i.toString(36)}`), ...rest } = item
    return { id, ...rest } as AnyItem
  })
  if (items.length > 0) await history.saveItems(conversationId, items)
  asked.isDone = true
  return items
}

function listOf(data: readonly AnyItem[], hasMore: boolean): object {
  const first = data[0]?.id ?? ''
  const last = data.at(-1)?.id ?? ''
  return { object: 'list', data, first_id: first, last_id: last, has_more: hasMore }
}

function noItem(id: string): Refusal {
  return new Refusal(404, `there is no item ${JSON.stringify(id)}`)
}

/** @throws Refusal 400 for what the original refuses. */
function checkedMetadata(given: Given): Readonly<Record<string, string>> {
  const pairs = Object.entries(given ?? {})
  if (pairs.length > PAIRS_MAX) {
    throw refused('metadata', `must have at most ${PAIRS_MAX} pairs, got ${pairs.length}`)
  }
  for (const [name, text] of pairs) {
    const param = `metadata.${name.slice(0, NAME_MAX)}`
    if (name === '' || name.length > NAME_MAX) {
      throw refused(param, `a name must have 1 to ${NAME_MAX} characters, got ${name.length}`)
    }
    if (typeof text !== 'string' || text.length > TEXT_MAX) {
      throw refused(param, `must be a text of at most ${TEXT_MAX} characters`)
    }
  }
  return (given ?? {}) as Readonly<Record<string, string>>
}

function refused(param: string, message: string): Refusal {
  return new Refusal(400, `${param} ${message}`, { param, code: 'INVALID_ARGUMENT' })
}

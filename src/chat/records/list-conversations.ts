/*
 * A page of conversations: rows come in their order from one of three sources, and those that the caller wants
 * fill the page. What is looked at for a page is limited, so a page of few among many may be short; its cursor
 * goes on behind what was looked at.
 */
import type { Resolved } from '../../core/options.ts'
import { activeKey, createdKey } from '../keys.ts'
import type { Conversation, ConversationPage } from '../message.ts'
import type { LIST_CONVERSATIONS } from './record-options.ts'
import type { RecordReader } from './record-reader.ts'
import type { Row, Rows } from './row.ts'
import { byActivity } from './rows-by-activity.ts'
import { rowsOfList } from './rows-of-list.ts'
import { conversationOf } from './shown-conversation.ts'

/** Conversations that are looked at for one page beyond those that it can have. */
const LOOKED_AT_MAX = 1_000

export type ListOptions = Resolved<typeof LIST_CONVERSATIONS>

export async function listConversations(
  reader: RecordReader,
  options: ListOptions,
): Promise<ConversationPage> {
  const { limit, titlePrefix, metadata } = options
  const isFiltered = titlePrefix !== undefined || metadata !== undefined
  const rows = rowsOf(reader, {
    ...options,
    chunk: isFiltered ? Math.max(100, limit + 1) : limit + 1,
  })
  const found: Row[] = []
  let looked = 0
  let last: Row | undefined
  let nextCursor: string | undefined
  for await (const row of rows) {
    if (found.length === limit || looked === limit + LOOKED_AT_MAX) {
      nextCursor = last!.cursor
      break
    }
    looked++
    last = row
    if (isWanted(row, options)) found.push(row)
  }
  const conversations = await shown(reader, found, options)
  return {
    conversations: conversations.list,
    ...(nextCursor !== undefined && { nextCursor }),
    complete: rows.complete && conversations.complete,
  }
}

function rowsOf(reader: RecordReader, options: ListOptions & { readonly chunk: number }): Rows {
  const { owner, orderBy, before, chunk } = options
  const { tenant } = reader
  const query = { before, chunk }
  if (orderBy === 'created') return rowsOfList(reader, createdKey(tenant, owner), query)
  if (owner !== undefined) return rowsOfList(reader, activeKey(tenant, owner), query)
  return byActivity(reader, query)
}

function isWanted({ record }: Row, { owner, titlePrefix, metadata }: ListOptions): boolean {
  if (owner !== undefined && record?.owner?.name !== owner) return false
  if (titlePrefix !== undefined && record?.title?.startsWith(titlePrefix) !== true) return false
  const wanted = Object.entries(metadata ?? {})
  return wanted.every(([name, value]) => {
    return (
      record !== undefined &&
      Object.hasOwn(record.metadata, name) &&
      record.metadata[name] === value
    )
  })
}

async function shown(
  reader: RecordReader,
  rows: readonly Row[],
  { countMessages }: ListOptions,
): Promise<{ readonly list: readonly Conversation[]; readonly complete: boolean }> {
  let complete = true
  const list = await Promise.all(
    rows.map(async ({ conversationId, record, latest }): Promise<Conversation> => {
      const read = latest ?? (await reader.latest(conversationId))
      complete &&= read.complete
      const conversation = conversationOf(conversationId, record, read)
      if (!countMessages) return conversation
      const counted = await reader.count(conversationId)
      complete &&= counted.complete
      return { ...conversation, messageCount: counted.count }
    }),
  )
  return { list, complete }
}

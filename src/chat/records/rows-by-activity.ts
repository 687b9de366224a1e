/*
 * All conversations of a tenant by activity: those with messages, which the engines keep in that order, and
 * those with a record and none, which stand where they were created. The second are found in the list by
 * creation: a conversation with messages was created before the last of them, so the list down to some time has
 * no more conversations than have been active since.
 */
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { LatestKey } from '../../backend/replica-backend.ts'
import { formatLatestCursor, parseLatestCursor } from '../cursor.ts'
import { conversationKey, createdKey, parseConversationKey, tenantPrefix } from '../keys.ts'
import { compareLatest } from '../../backend/key-states.ts'
import { entriesOf } from './read-entries.ts'
import type { RecordReader } from './record-reader.ts'
import {
  rowsWith,
  type Completeness,
  type PlacedEntry,
  type Row,
  type Rows,
  type RowsQuery,
} from './row.ts'

/** A row, or a place in a list that has none for this page. */
interface Placed extends LatestKey {
  readonly row?: Omit<Row, 'cursor'>
}

export function byActivity(reader: RecordReader, { before: cursor, chunk }: RowsQuery): Rows {
  const before = cursor === undefined ? undefined : parseLatestCursor(reader.tenant, cursor)
  return rowsWith(async function* (complete) {
    const query = { before, chunk }
    const sources = [
      withMessages(reader, query, complete)[Symbol.asyncIterator](),
      withoutMessages(reader, query, complete)[Symbol.asyncIterator](),
    ]
    const heads = await Promise.all(sources.map(async (source) => await next(source)))
    for (;;) {
      const [one, other] = heads
      if (one === undefined && other === undefined) return
      const isFirst = other === undefined || (one !== undefined && compareLatest(one, other) < 0)
      const { latest, row } = isFirst ? one! : other
      if (row !== undefined) {
        yield { ...row, cursor: formatLatestCursor(latest, row.conversationId) }
      }
      const at = isFirst ? 0 : 1
      heads[at] = await next(sources[at]!)
    }
  })
}

async function next<T>(source: AsyncIterator<T>): Promise<T | undefined> {
  const { value, done } = await source.next()
  return done === true ? undefined : value
}

interface From {
  readonly before: LatestKey | undefined
  readonly chunk: number
}

async function* withMessages(
  reader: RecordReader,
  { before, chunk }: From,
  complete: Completeness,
): AsyncGenerator<Placed, void, undefined> {
  const prefix = tenantPrefix(reader.tenant)
  const limit = Math.min(chunk, PAGE_ITEMS_MAX)
  let from = before
  let hasRecords: boolean | undefined
  for (;;) {
    const query = { prefix, limit, ...(from !== undefined && { before: from }) }
    const { keys, done } = complete.note(await reader.store.listLatest(query))
    hasRecords ??= await anyRecord(reader, complete)
    const ids = keys.map(({ key }) => parseConversationKey(key)!.conversationId)
    const records = hasRecords
      ? await Promise.all(ids.map(async (id) => complete.note(await reader.record(id)).record))
      : []
    for (const [i, conversationId] of ids.entries()) {
      yield { ...keys[i]!, row: { conversationId, record: records[i] } }
    }
    from = keys.at(-1)
    if (done || from === undefined) return
  }
}

async function anyRecord(
  { store, tenant }: RecordReader,
  complete: Completeness,
): Promise<boolean> {
  const query = { key: createdKey(tenant), limit: 1, order: 'newest' } as const
  return complete.note(await store.readItems(query)).items.length > 0
}

async function* withoutMessages(
  reader: RecordReader,
  { before, chunk }: From,
  complete: Completeness,
): AsyncGenerator<Placed, void, undefined> {
  const key = createdKey(reader.tenant)
  const entries = entriesOf(reader, { key, before: before?.latest, chunk }, complete)
  for await (const page of entries) {
    const found = await Promise.all(page.map((entry) => emptyOf(reader, entry, complete)))
    yield* found
  }
}

async function emptyOf(
  reader: RecordReader,
  { id, position, conversationId }: PlacedEntry,
  complete: Completeness,
): Promise<Placed> {
  const [{ record }, latest] = await Promise.all([
    reader.record(conversationId).then((read) => complete.note(read)),
    reader.latest(conversationId).then((read) => complete.note(read)),
  ])
  const place = { key: conversationKey(reader.tenant, conversationId), latest: position }
  if (record?.created.entry !== id || latest.position !== undefined) return place
  return { ...place, row: { conversationId, record, latest } }
}

import { decodeJson, isJson } from '../../core/json.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { RecordReader } from './record-reader.ts'
import type { Entry } from './record.ts'
import type { Completeness, PlacedEntry } from './row.ts'

export interface EntriesQuery {
  readonly key: string
  readonly before: Stamp | undefined
  /** Entries of the first page; each next one has twice as many. */
  readonly chunk: number
}

/** The entries of a list from the latest backwards, page by page. */
export async function* entriesOf(
  { store }: RecordReader,
  { key, before, chunk }: EntriesQuery,
  complete: Completeness,
): AsyncGenerator<readonly PlacedEntry[], void, undefined> {
  let from = before
  let limit = Math.min(chunk, PAGE_ITEMS_MAX)
  for (;;) {
    const query = {
      key,
      limit,
      order: 'newest',
      ...(from !== undefined && { before: from }),
    } as const
    const { items, done } = complete.note(await store.readItems(query))
    const decode = (item: (typeof items)[number]): PlacedEntry => ({
      id: item.id,
      position: item.position,
      conversationId: decodeJson<Entry>(itemValue(item)!).conversation,
    })
    yield await store.decodeItems(key, items, decode, isJson)
    from = items.at(-1)?.position
    if (done || from === undefined) return
    limit = Math.min(2 * limit, PAGE_ITEMS_MAX)
  }
}

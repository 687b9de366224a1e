import { isStamp, type Stamp } from '../../core/stamp.ts'
import { entriesOf } from './read-entries.ts'
import type { RecordReader } from './record-reader.ts'
import { badCursor, rowsWith, type Rows, type RowsQuery } from './row.ts'

/** What a cursor into such a list begins with, before the place of the row. */
const MARK = 'l'

/** The conversations of a list in its order, the last entry first. */
export function rowsOfList(
  reader: RecordReader,
  key: string,
  { before: cursor, chunk }: RowsQuery,
): Rows {
  const before = cursor === undefined ? undefined : parseCursor(cursor)
  return rowsWith(async function* (complete) {
    for await (const entries of entriesOf(reader, { key, before, chunk }, complete)) {
      const reads = await Promise.all(
        entries.map(({ conversationId }) => reader.record(conversationId)),
      )
      for (const [i, { id, position, conversationId }] of entries.entries()) {
        const { record } = complete.note(reads[i]!)
        if (record === undefined) continue
        const isNamed = record.created.entry === id || record.owner?.entry === id
        if (isNamed) yield { conversationId, record, cursor: MARK + position }
      }
    }
  })
}

function parseCursor(cursor: string): Stamp {
  const position = cursor.slice(MARK.length)
  if (!cursor.startsWith(MARK) || !isStamp(position)) throw badCursor()
  return position
}

import { invalid } from '../../core/errors.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { ConversationRecord } from './record.ts'
import type { LatestRead } from './record-reader.ts'

/** One conversation of a list. */
export interface Row {
  readonly conversationId: string
  readonly record: ConversationRecord | undefined
  /** Absent: it was not looked at. */
  readonly latest?: LatestRead
  /** The page behind this row begins here. */
  readonly cursor: string
}

/** Rows in their order, read as they are needed. */
export interface Rows extends AsyncIterable<Row> {
  /** Of what was read so far. */
  readonly complete: boolean
}

/** Which part of a list is read. */
export interface RowsQuery {
  /** The cursor of the row before. */
  readonly before: string | undefined
  /** Entries that are read at once. */
  readonly chunk: number
}

/** Whether all that was read is complete. */
export class Completeness {
  value = true

  note<T extends { readonly complete: boolean }>(read: T): T {
    this.value &&= read.complete
    return read
  }
}

/** The rows of a generator, with what it notes of its reads. */
export function rowsWith(
  generate: (complete: Completeness) => AsyncGenerator<Row, void, undefined>,
): Rows {
  const complete = new Completeness()
  return {
    get complete() {
      return complete.value
    },
    [Symbol.asyncIterator]: () => generate(complete),
  }
}

/** An entry of a list, as it stands. */
export interface PlacedEntry {
  readonly id: string
  readonly position: Stamp
  readonly conversationId: string
}

/** The error for a cursor of another list. */
export function badCursor(): Error {
  return invalid('before must be the nextCursor of a page that was made with the same options')
}

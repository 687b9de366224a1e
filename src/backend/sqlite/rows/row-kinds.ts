import type { SqliteConnection } from '../connection/connection.ts'

/** Kinds of rows that need a look of their own for each key, and that many files have none of. */
export interface RowKinds {
  /** Rows that stand elsewhere than their identities say: callers' ids. */
  readonly moved: boolean
  readonly edited: boolean
  /** Rows whose appended value came with another position. */
  readonly appended: boolean
  readonly removed: boolean
}

/** By the partial indexes, which have nothing else. */
const KINDS = `
  SELECT EXISTS (SELECT 1 FROM everthread_items WHERE position <> item) AS moved,
    EXISTS (SELECT 1 FROM everthread_items WHERE edited_at IS NOT NULL) AS edited,
    EXISTS (SELECT 1 FROM everthread_items WHERE appended_at IS NOT NULL) AS appended,
    EXISTS (SELECT 1 FROM everthread_items WHERE removed <> 0) AS removed`

/** Which kinds there are now. */
export function rowKinds(connection: SqliteConnection): RowKinds {
  const row = connection.get<Record<keyof RowKinds, number>>(KINDS)!
  return {
    moved: row.moved !== 0,
    edited: row.edited !== 0,
    appended: row.appended !== 0,
    removed: row.removed !== 0,
  }
}

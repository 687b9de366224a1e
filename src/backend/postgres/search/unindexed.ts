import { isIndexedSql } from '../../../core/search/indexed-texts.ts'
import type { DamagedPart } from '../../replica-backend.ts'
import type { PgStatement } from '../connection/pg-types.ts'
import { prepared } from '../connection/statement.ts'
import type { Ask } from '../read/ranges.ts'
import type { Tables } from '../rows/tables.ts'

type Row = Record<string, unknown>

/** Keys of this page with items that the index lacks, though nothing says that it does. */
export async function* unindexed(
  ask: Ask,
  tables: Tables,
  page: readonly Row[],
): AsyncGenerator<DamagedPart> {
  const text = `SELECT DISTINCT key FROM (${lackingSql(tables)}) l`
  const { rows } = await ask(prepared(text, [keysOf(page)]))
  for (const { key } of rows) yield { name: tables.search, key: key as string }
}

/** Marks those items. */
export function markUnindexed(tables: Tables, page: readonly Row[]): PgStatement {
  const text = `INSERT INTO ${tables.searchMarks} (key, item) ${lackingSql(tables)}`
  return prepared(text, [keysOf(page)])
}

/** SQL: visible items of these keys without a row of the index or a mark. Nothing while it is being built. */
function lackingSql({ keys, items, search, searchMarks, searchState }: Tables): string {
  return `SELECT i.key, i.item FROM ${items} i JOIN ${keys} o ON o.key = i.key
    WHERE i.key = ANY ($1::text[]) AND ${isIndexedSql('i.key', "i.id = 'title'")}
      AND NOT i.removed AND (i.appended IS NOT NULL OR i.edited IS NOT NULL)
      AND (o.deleted_through IS NULL OR LEAST(i.position, i.appended_at, i.edited_of) > o.deleted_through)
      AND EXISTS (SELECT 1 FROM ${searchState} WHERE built)
      AND NOT EXISTS (SELECT 1 FROM ${search} s WHERE s.key = i.key AND s.item = i.item)
      AND NOT EXISTS (SELECT 1 FROM ${searchMarks} m WHERE m.key = i.key AND m.item = i.item)`
}

function keysOf(page: readonly Row[]): unknown[] {
  return page.map((row) => row['key'])
}

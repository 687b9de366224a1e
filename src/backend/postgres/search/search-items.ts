import { STAMP_MAX, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import type { FoundItem, FoundPage, SearchQuery } from '../../replica-backend.ts'
import { buildingSearch, noSearch } from '../../search/search-state.ts'
import { statementOf } from '../connection/statement.ts'
import type { Ask } from '../read/ranges.ts'
import { itemFrom, ITEM_SELECT } from '../rows/item-row.ts'
import { checkClear } from '../rows/key-row.ts'
import { identitySql, type Tables } from '../rows/tables.ts'

const COLUMNS = ITEM_SELECT.split(', ')
  .map((name) => `i.${name}`)
  .join(', ')

/** Whatever the planner takes the rows to be, the items of those few are looked up one by one. */
const SEARCH = statementOf((tables) => {
  const { schema, prefix, items, keys, searchState, searchMarks } = tables
  return `SELECT ${identitySql(tables)} AS identity, t.built, t.indexed, t.items,
      EXISTS (SELECT 1 FROM ${searchMarks}) AS behind,
      f.key, f.position AS place, o.deleted_through AS d, o.deleted_digest AS d_digest, ${COLUMNS}
    FROM ${searchState} t
    LEFT JOIN "${schema}"."${prefix}search_find"($1::int4[], $2::uuid, $3::uuid, $4::int) f ON true
    LEFT JOIN LATERAL (SELECT * FROM ${items} i
      WHERE i.key = f.key AND i.item = f.item LIMIT 1) i ON true
    LEFT JOIN LATERAL (SELECT * FROM ${keys} o WHERE o.key = f.key LIMIT 1) o ON true
    ORDER BY f.position DESC`
})

/** Undefined while something was written that is not indexed yet, unless that is `known`. */
export async function searchItems(
  ask: Ask,
  tables: Tables,
  known: boolean,
  { numbers, before = STAMP_MAX, after = STAMP_MIN, limit }: SearchQuery,
): Promise<FoundPage | undefined> {
  const bounds = [`{${numbers.join(',')}}`, before, after, limit + 1]
  const { rows } = await ask(SEARCH(tables, bounds))
  const { identity, built, indexed, items } = rows[0]!
  if (built !== true) throw noSearch(buildingSearch(Number(indexed), Number(items)))
  if (rows[0]!['behind'] === true && !known) return undefined
  const hits = rows.filter((row) => row['place'] !== null)
  const shown = hits.slice(0, limit)
  const done = hits.length <= limit
  return {
    identity: identity as string,
    found: shown.map(foundOf).filter((one) => one !== undefined),
    done,
    ...(!done && { edge: shown.at(-1)!['place'] as Stamp }),
  }
}

/** Undefined for an item that was changed since it was indexed, and is not there any more. */
function foundOf(row: Record<string, unknown>): FoundItem | undefined {
  const key = row['key'] as string
  const deletedThrough = (row['d'] ?? undefined) as Stamp | undefined
  checkClear(key, deletedThrough, row['d_digest'] ?? undefined)
  const item = row['item'] === null ? undefined : itemFrom(row, deletedThrough)
  return item === undefined ? undefined : { key, item }
}

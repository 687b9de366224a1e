import { STAMP_MAX, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import type { FoundItem, FoundPage, SearchQuery } from '../../replica-backend.ts'
import { buildingSearch, noSearch } from '../../search/search-state.ts'
import { statementOf } from '../connection/statement.ts'
import type { Ask } from '../read/ranges.ts'
import { itemOfPage, PAGE_SELECT } from '../rows/item-row.ts'
import { checkClear } from '../rows/key-row.ts'
import { identitySql, type Tables } from '../rows/tables.ts'

/** What stands in `rest` of the row without a place. */
type Standing = readonly [built: boolean, indexed: number, items: number, behind: boolean]

/**
 * Rows in no order: few columns, which is half of the cost. The row without a place has the identity, and where
 * the index stands. Whatever the planner takes the rows to be, the items of those few are looked up one by one.
 */
const SEARCH = statementOf((tables) => {
  const { schema, prefix, items, keys, searchState, searchMarks } = tables
  return `SELECT NULL::text AS key, NULL::uuid AS place, NULL::text AS clear, NULL::uuid AS item,
      ${identitySql(tables)} AS appended, pg_catalog.json_build_array(built, indexed, items,
        EXISTS (SELECT 1 FROM ${searchMarks}))::text AS rest
    FROM ${searchState}
    UNION ALL SELECT f.key, f.position,
      CASE WHEN o.deleted_through IS NOT NULL
        THEN pg_catalog.concat_ws(' ', o.deleted_through::text, o.deleted_digest::text) END,
      i.item, i.appended, i.rest
    FROM "${schema}"."${prefix}search_find"($1::int4[], $2::uuid, $3::uuid, $4::int) f
    LEFT JOIN LATERAL (SELECT ${PAGE_SELECT} FROM ${items} i
      WHERE i.key = f.key AND i.item = f.item LIMIT 1) i ON true
    LEFT JOIN LATERAL (SELECT * FROM ${keys} o WHERE o.key = f.key LIMIT 1) o ON true`
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
  const head = rows.find(({ place }) => place === null)!
  const [built, indexed, items, behind] = JSON.parse(head['rest'] as string) as Standing
  if (!built) throw noSearch(buildingSearch(indexed, items))
  if (behind && !known) return undefined
  const hits = (rows as (Record<string, unknown> & { readonly place: Stamp })[])
    .filter((row) => row !== head)
    .sort((a, b) => (a.place > b.place ? -1 : 1))
  const shown = hits.slice(0, limit)
  const done = hits.length <= limit
  return {
    identity: head['appended'] as string,
    found: shown.map(foundOf).filter((one) => one !== undefined),
    done,
    ...(!done && { edge: shown.at(-1)!.place }),
  }
}

/** Undefined for an item that was changed since it was indexed, and is not there any more. */
function foundOf(row: Record<string, unknown>): FoundItem | undefined {
  const key = row['key'] as string
  const [deletedThrough, digest] = ((row['clear'] as string | null)?.split(' ') ?? []) as [
    Stamp?,
    string?,
  ]
  checkClear(key, deletedThrough, digest)
  const item = row['item'] === null ? undefined : itemOfPage(row, deletedThrough)
  return item === undefined ? undefined : { key, item }
}

import { STAMP_MAX, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import type { FoundItem, FoundPage, SearchQuery } from '../../replica-backend.ts'
import { buildingSearch, noSearch } from '../../search/search-state.ts'
import type { Ask } from '../read/ranges.ts'
import { itemFrom, ITEM_SELECT } from '../rows/item-row.ts'
import { checkClear } from '../rows/key-row.ts'
import { identitySql, type Tables } from '../rows/tables.ts'

const COLUMNS = ITEM_SELECT.split(', ')
  .map((name) => `i.${name}`)
  .join(', ')

/**
 * The operator by its schema: the extension intarray has one of the same name, which no GIN index helps. It has
 * no name: how it is best done depends on how frequent its words are.
 */
function searchSql(tables: Tables): string {
  return `WITH f AS MATERIALIZED (
      SELECT s.key, s.item, s.position FROM ${tables.search} s
      WHERE s.numbers OPERATOR(pg_catalog.@>) $1::int4[]
        AND s.position < $2::uuid AND s.position > $3::uuid
      ORDER BY s.position DESC LIMIT $4)
    SELECT ${identitySql(tables)} AS identity, t.built, t.indexed, t.items,
      EXISTS (SELECT 1 FROM ${tables.searchMarks}) AS behind,
      f.key, f.position AS place, o.deleted_through AS d, o.deleted_digest AS d_digest, ${COLUMNS}
    FROM ${tables.searchState} t LEFT JOIN f ON true
    LEFT JOIN ${tables.items} i ON i.key = f.key AND i.item = f.item
    LEFT JOIN ${tables.keys} o ON o.key = f.key
    ORDER BY f.position DESC`
}

/** Undefined while something was written that is not indexed yet, unless that is `known`. */
export async function searchItems(
  ask: Ask,
  tables: Tables,
  known: boolean,
  { numbers, before = STAMP_MAX, after = STAMP_MIN, limit }: SearchQuery,
): Promise<FoundPage | undefined> {
  const bounds = [`{${numbers.join(',')}}`, before, after, limit + 1]
  const { rows } = await ask({ text: searchSql(tables), values: bounds })
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

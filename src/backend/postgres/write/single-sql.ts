/*
 * One judged append alone, the most frequent call of all when little is going on. It does what
 * `batch-sql.ts` does, and answers in the same columns, with half of the plan's steps.
 */
import { addItemsSql, mergeItemsSql } from './item-sql.ts'
import { ITEM_COLUMNS } from '../rows/item-row.ts'
import { identitySql, type Tables } from '../rows/tables.ts'

/** Parameters before the item columns: key, touched, coarse. */
const FIRST_COLUMN = 4
const POSITION = FIRST_COLUMN + ITEM_COLUMNS.findIndex(([name]) => name === 'position')

const cache = new WeakMap<Tables, [merge: string, add: string]>()

/** `add`: the id must be new. */
export function singleSql(tables: Tables, add: boolean): string {
  let texts = cache.get(tables)
  if (texts === undefined) {
    cache.set(tables, (texts = [write(tables, false), write(tables, true)]))
  }
  return texts[add ? 1 : 0]
}

function write(tables: Tables, add: boolean): string {
  const columns = ITEM_COLUMNS.map(([, type], i) => `$${FIRST_COLUMN + i}::${type}`).join(', ')
  const row = `SELECT $1::text, ${columns} FROM k
    WHERE (k.d IS NULL OR $${POSITION}::uuid > k.d) AND (SELECT pg_catalog.count(*) FROM raised) >= 0`
  const missed = `CASE WHEN EXISTS (SELECT 1 FROM written) THEN '{}'::int[] ELSE '{0}'::int[] END`
  return `WITH k AS MATERIALIZED (SELECT o.touched, o.deleted_through AS d
      FROM (SELECT 1) one LEFT JOIN ${tables.keys} o ON o.key = $1::text),
    raised AS (INSERT INTO ${tables.keys} AS o (key, touched)
      SELECT $1::text, $2::uuid FROM k WHERE k.touched IS NULL OR k.touched < $3::uuid
      ON CONFLICT (key) DO UPDATE SET touched = EXCLUDED.touched
      WHERE o.touched < EXCLUDED.touched RETURNING 1),
    written AS (${add ? addItemsSql(tables, row) : mergeItemsSql(tables, row)})
    SELECT ${identitySql(tables)} AS identity, ${add ? missed : `'{}'::int[]`} AS missed,
      CASE WHEN k.d IS NULL THEN '{}'::int[] ELSE '{1}'::int[] END AS cleared,
      pg_catalog.array_remove(ARRAY[k.d::text], NULL) AS cleared_through FROM k`
}

/*
 * A whole batch in one statement. It is used when no operation has to be judged by more than the
 * key's deletedThrough: appends, and merges that are not judged at all.
 *
 * All parts see one snapshot of the database. A group with a judged operation at or below
 * deletedThrough is refused: none of it is written. Appends whose id must be new are written unless
 * the id is there, in one atomic step (ON CONFLICT DO NOTHING); the others are merged. Rows are
 * written in the order of key and item, keys before items, so that batches do not deadlock.
 */
import { addItemsSql, mergeItemsSql } from './item-sql.ts'
import { ITEM_COLUMNS } from '../rows/item-row.ts'
import { ZERO } from '../rows/head-sql.ts'
import { identitySql, type Tables } from '../rows/tables.ts'

export interface BatchParts {
  /** Rows that are merged. */
  readonly merges: boolean
  /** Rows whose id must be new. */
  readonly adds: boolean
  readonly hints: boolean
  readonly cursors: boolean
}

/** Parameters before the item columns: keys, touched, coarse, and the key's number of each row. */
const FIRST_COLUMN = 5
const GROUP = FIRST_COLUMN + ITEM_COLUMNS.length
const MARKS = GROUP + 3

const cache = new WeakMap<Tables, Map<string, string>>()

export function batchSql(tables: Tables, parts: BatchParts): string {
  let texts = cache.get(tables)
  if (texts === undefined) cache.set(tables, (texts = new Map()))
  const name = JSON.stringify(Object.values(parts))
  let text = texts.get(name)
  if (text === undefined) texts.set(name, (text = write(tables, parts)))
  return text
}

function write(tables: Tables, { merges, adds, hints, cursors }: BatchParts): string {
  const names = ITEM_COLUMNS.map(([name]) => name)
  const arrays = ITEM_COLUMNS.map(([, type], i) => `$${FIRST_COLUMN + i}::${type}[]`)
  const rows = (unique: string): string =>
    `SELECT key, ${names.join(', ')} FROM wanted WHERE ${unique} ORDER BY key COLLATE "C", item`
  const steps = [
    `k AS MATERIALIZED (
      SELECT t.n::int AS n, t.key, t.touched, t.coarse, s.touched AS current, s.deleted_through AS d
      FROM unnest($1::text[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS t(key, touched, coarse, n)
      LEFT JOIN LATERAL (SELECT touched, deleted_through FROM ${tables.keys} o
        WHERE o.key = t.key LIMIT 1) s ON true)`,
    // Most appends find the key touched a moment ago and write nothing here.
    `raised AS (
      INSERT INTO ${tables.keys} AS o (key, touched)
      SELECT key, touched FROM k WHERE current IS NULL OR current < coarse
      ORDER BY key COLLATE "C"
      ON CONFLICT (key) DO UPDATE SET touched = EXCLUDED.touched
      WHERE o.touched < EXCLUDED.touched RETURNING 1)`,
    `input AS MATERIALIZED (
      SELECT k.key, k.d, i.* FROM unnest($4::int[], ${arrays.join(', ')},
        $${GROUP}::int[], $${GROUP + 1}::boolean[], $${GROUP + 2}::boolean[])
        AS i(n, ${names.join(', ')}, grp, judged, uniq) JOIN k ON k.n = i.n)`,
    `wanted AS MATERIALIZED (
      SELECT * FROM input
      WHERE grp NOT IN (SELECT r.grp FROM input r WHERE r.judged AND r.position <= r.d)
        AND position > COALESCE(d, ${ZERO})
        AND (SELECT pg_catalog.count(*) FROM raised) >= 0)`,
  ]
  if (merges) steps.push(`merged AS (${mergeItemsSql(tables, rows('NOT uniq'))})`)
  if (adds) steps.push(`added AS (${addItemsSql(tables, rows('uniq'))})`)
  const next = MARKS
  if (hints) steps.push(hintsSql(tables, next))
  if (cursors) steps.push(cursorsSql(tables, next + (hints ? 1 : 0)))
  const missed = adds
    ? `ARRAY(SELECT i.grp FROM input i WHERE i.uniq AND NOT EXISTS (
        SELECT 1 FROM added a WHERE a.key = i.key AND a.item = i.item))`
    : `'{}'::int[]`
  return `WITH ${steps.join(',\n')}
    SELECT ${identitySql(tables)} AS identity, ${missed} AS missed,
      ARRAY(SELECT n FROM k WHERE d IS NOT NULL ORDER BY n) AS cleared,
      ARRAY(SELECT d::text FROM k WHERE d IS NOT NULL ORDER BY n) AS cleared_through`
}

/** SQL: raises hints; an array of writers. */
export function hintsSql({ hints, hintCount }: Tables, first: number): string {
  return `hinted AS (INSERT INTO ${hints} AS h (writer, count)
    SELECT m.writer, pg_catalog.nextval('${hintCount}') FROM pg_catalog.unnest($${first}::text[]) AS m(writer)
    ORDER BY writer COLLATE "C"
    ON CONFLICT (writer) DO UPDATE SET count = EXCLUDED.count)`
}

/** SQL: raises cursors, which never go back; arrays of writers and LSNs. */
export function cursorsSql({ cursors }: Tables, first: number): string {
  return `moved AS (INSERT INTO ${cursors} AS c (writer, lsn)
    SELECT * FROM unnest($${first}::text[], $${first + 1}::bigint[]) AS m(writer, lsn)
    ORDER BY writer COLLATE "C"
    ON CONFLICT (writer) DO UPDATE SET lsn = EXCLUDED.lsn WHERE c.lsn < EXCLUDED.lsn)`
}

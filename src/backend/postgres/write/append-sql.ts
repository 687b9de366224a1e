/*
 * A batch of nothing but appends with ids of our own: what nearly all saves are. It does what
 * `batch-sql.ts` does and needs a third of its columns: the item is its position and id, and nothing is
 * edited or removed. A row at or below the key's deletedThrough is left out, and the key is in the answer.
 */
import { cursorsSql, hintsSql } from './batch-sql.ts'
import { mergeOnConflictSql } from './item-sql.ts'
import { identitySql, type Tables } from '../rows/tables.ts'

export interface AppendMarks {
  readonly hints: boolean
  readonly cursors: boolean
}

/** Parameters before the marks: keys, items, values and digests of the rows; coarse. */
const MARKS = 6

const cache = new WeakMap<Tables, Map<number, string>>()

export function appendSql(tables: Tables, marks: AppendMarks): string {
  let texts = cache.get(tables)
  if (texts === undefined) cache.set(tables, (texts = new Map()))
  const name = (marks.hints ? 1 : 0) + (marks.cursors ? 2 : 0)
  let text = texts.get(name)
  if (text === undefined) texts.set(name, (text = write(tables, marks)))
  return text
}

function write(tables: Tables, { hints, cursors }: AppendMarks): string {
  const steps = [
    `i AS MATERIALIZED (
      SELECT t.*, o.touched AS current, o.deleted_through AS d
      FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[]) AS t(key, item, appended, digest)
      LEFT JOIN ${tables.keys} o ON o.key = t.key)`,
    // Most appends find the key touched a moment ago and write nothing here.
    `raised AS (
      INSERT INTO ${tables.keys} AS o (key, touched)
      SELECT DISTINCT ON (key COLLATE "C") key, item FROM i
      WHERE current IS NULL OR current < $5::uuid
      ORDER BY key COLLATE "C", item DESC
      ON CONFLICT (key) DO UPDATE SET touched = EXCLUDED.touched
      WHERE o.touched < EXCLUDED.touched RETURNING 1)`,
    `written AS (
      INSERT INTO ${tables.items} AS t (key, item, position, appended, digest, removed)
      SELECT key, item, item, appended, digest, false FROM i
      WHERE (d IS NULL OR item > d) AND (SELECT pg_catalog.count(*) FROM raised) >= 0
      ORDER BY key COLLATE "C", item
      ${mergeOnConflictSql()})`,
  ]
  if (hints) steps.push(hintsSql(tables, MARKS))
  if (cursors) steps.push(cursorsSql(tables, MARKS + (hints ? 1 : 0)))
  return `WITH ${steps.join(',\n')}
    SELECT ${identitySql(tables)} AS identity,
      ARRAY(SELECT key FROM i WHERE d IS NOT NULL) AS cleared,
      ARRAY(SELECT d::text FROM i WHERE d IS NOT NULL) AS cleared_through`
}

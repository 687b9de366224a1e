import { HASHED } from '../rows/item-key.ts'
import { ITEM_SELECT, PAGE_SELECT } from '../rows/item-row.ts'
import { coarseSql, lastPositionSql, listHeadSql, visibleSql, ZERO } from '../rows/head-sql.ts'
import { groupSql } from '../rows/prefix.ts'
import { identitySql, type Tables } from '../rows/tables.ts'

/**
 * SQL: identity and the key's deletedThrough, of which every read answer starts; the digest of the clear
 * shows damage.
 */
function markSql(tables: Tables): string {
  return `mark AS MATERIALIZED (SELECT ${identitySql(tables)} AS identity, o.deleted_through AS d,
      o.deleted_digest AS d_digest
    FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT * FROM ${tables.keys} k
      WHERE k.key = $1 LIMIT 1) o ON true)`
}

const MARK = 'mark.identity, mark.d, mark.d_digest'

/** Parameter: key. */
export function registerSql(tables: Tables): string {
  return `WITH ${markSql(tables)}
    SELECT ${MARK}, o.register_stamp AS stamp, o.register_value AS value
    FROM mark LEFT JOIN LATERAL (SELECT * FROM ${tables.keys} o
      WHERE o.key = $1 AND o.register_stamp > COALESCE(mark.d, ${ZERO}) LIMIT 1) o ON true`
}

/** The same for several keys; `at` is the place of the key among them, from 1. Parameter: keys. */
export function registersSql(tables: Tables): string {
  return `SELECT asked.at, ${identitySql(tables)} AS identity, o.deleted_through AS d,
      o.deleted_digest AS d_digest,
      CASE WHEN o.register_stamp > COALESCE(o.deleted_through, ${ZERO}) THEN o.register_stamp END AS stamp,
      o.register_value AS value
    FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY asked (key, at)
    LEFT JOIN LATERAL (SELECT * FROM ${tables.keys} k WHERE k.key = asked.key LIMIT 1) o ON true`
}

/**
 * A page by keyset as rows of `PAGE_SELECT`, in no order and up to twice as many as asked for: the
 * reader sorts them. The row without an item has the identity and deletedThrough with its digest in the other
 * two columns; it comes first.
 * Parameters: key, lower and upper bound (exclusive), limit.
 *
 * Items whose position is their id come from the primary key, the others from an index of their own.
 * The second kind is read first: once it fills a page, the first kind matters only within that
 * page. So a caller's ids that are UUIDv7 are never gone through, however many there are.
 */
export function pageSql(
  tables: Tables,
  order: 'newest' | 'oldest',
  includeRemoved: boolean,
): string {
  const { items } = tables
  const direction = order === 'newest' ? 'DESC' : 'ASC'
  const low = 'GREATEST($2::uuid, (SELECT d FROM mark))'
  // The far end of the first page, when it is full.
  const far = `(SELECT position FROM moved ORDER BY position ${direction} OFFSET $4 - 1 LIMIT 1)`
  const near = order === 'newest' ? `GREATEST(${low}, ${far})` : low
  const top = order === 'newest' ? '$3::uuid' : `LEAST($3::uuid, ${far})`
  return `WITH ${markSql(tables)},
    moved AS MATERIALIZED (SELECT ${ITEM_SELECT} FROM ${items} i
      WHERE i.key = $1 AND i.position <> i.item AND i.position > ${low} AND i.position < $3::uuid
        ${includeRemoved ? '' : `AND ${seenSql('false')}`}
      ORDER BY i.position ${direction} LIMIT $4)
    SELECT NULL::uuid AS item, identity AS appended,
      CASE WHEN d IS NOT NULL THEN pg_catalog.concat_ws(' ', d::text, d_digest::text) END AS rest FROM mark
    UNION ALL SELECT ${PAGE_SELECT} FROM moved
    UNION ALL SELECT ${PAGE_SELECT} FROM (
      SELECT ${ITEM_SELECT} FROM ${items} i
      WHERE i.key = $1 AND i.item < '${HASHED}' AND i.item > ${near} AND i.item < ${top}
        AND ${includeRemoved ? OWN : seenSql('i.position <> i.item')}
      ORDER BY i.item ${direction} LIMIT $4) r`
}

/** SQL: the item's position is its id. A `CASE` for the reason that `seenSql` gives. */
const OWN = 'CASE WHEN i.position = i.item THEN true ELSE false END'

/**
 * SQL: `visibleSql` for a row whose position is above deletedThrough. The condition of nearly every
 * row is looked at first. It is a `CASE` because the planner looks into that of no `CASE`: one that
 * it takes for rare, as `position = item`, or that another index has an entry for, makes it read
 * and sort the whole conversation instead of walking an index up to the limit.
 */
function seenSql(isOut: string): string {
  const d = `COALESCE((SELECT d FROM mark), ${ZERO})`
  return `CASE WHEN ${isOut} THEN false WHEN i.removed THEN COALESCE(i.removed_of <= ${d}, false)
    ELSE i.appended IS NOT NULL OR i.edited IS NOT NULL END`
}

/** One probe an item: LIMIT keeps the planner from reading the whole key. Parameters: key, items. */
export function itemsSql(tables: Tables): string {
  return `WITH ${markSql(tables)}
    SELECT ${MARK}, r.* FROM mark LEFT JOIN (
      SELECT i.* FROM pg_catalog.unnest($2::uuid[]) AS w(item) CROSS JOIN LATERAL (
        SELECT ${ITEM_SELECT} FROM ${tables.items} t
        WHERE t.key = $1 AND t.item = w.item LIMIT 1) i) r ON true`
}

/** Parameter: key. */
export function countSql(tables: Tables): string {
  return `WITH ${markSql(tables)},
    bounds AS MATERIALIZED (SELECT COALESCE(d, ${ZERO}) AS d FROM mark)
    SELECT ${MARK}, (SELECT pg_catalog.count(*) FROM ${tables.items} i
      WHERE i.key = $1 AND ${visibleSql('i', '(SELECT d FROM bounds)')}) AS count FROM mark`
}

/** Parameters: lower bound (inclusive), upper bound (exclusive) or NULL, after or NULL, limit. */
export function keysSql(tables: Tables): string {
  const d = `COALESCE(o.deleted_through, ${ZERO})`
  return `SELECT ${identitySql(tables)} AS identity, r.key FROM (SELECT 1) one LEFT JOIN (
      SELECT o.key FROM ${tables.keys} o
      WHERE o.key >= $1::text AND ($2::text IS NULL OR o.key < $2::text)
        AND ($3::text IS NULL OR o.key > $3::text)
        AND (o.register_stamp > ${d} OR ${lastPositionSql(tables, 'o.key', d, true)} IS NOT NULL)
      ORDER BY o.key LIMIT $4) r ON true
    ORDER BY r.key`
}

/**
 * Keys in the order in which they were touched, each with its exact latest position. Parameters:
 * prefix bounds as above, and the last row seen (touched and key) or NULLs, limit, and the group that all of
 * them are in if `inGroup`. The group is compared and ordered by as the first of its index, not by `=`: so no
 * other index has the order that is needed, and none is gone through.
 */
export function latestSql(tables: Tables, inGroup: boolean): string {
  const d = `COALESCE(c.deleted_through, ${ZERO})`
  const group = groupSql('o.key')
  const before = inGroup
    ? `${group} >= $6::text AND (${group}, o.touched, o.key) < ($6::text, $3::uuid, $4::text)`
    : 'o.touched <= $3::uuid AND (o.touched, o.key) < ($3::uuid, $4::text)'
  return `SELECT ${identitySql(tables)} AS identity, r.* FROM (SELECT 1) one LEFT JOIN (
      SELECT c.key, c.touched, ${lastPositionSql(tables, 'c.key', d, true)} AS latest
      FROM (SELECT o.key, o.touched, o.deleted_through FROM ${tables.keys} o
        WHERE o.key >= $1::text AND ($2::text IS NULL OR o.key < $2::text) AND ${before}
        ORDER BY ${inGroup ? `${group} DESC, ` : ''}o.touched DESC, o.key DESC LIMIT $5) c) r ON true
    ORDER BY r.touched DESC, r.key DESC`
}

/** SQL: the columns that tell the hints. */
function hintColumnsSql(tables: Tables): string {
  const { meta, hints } = tables
  return `${identitySql(tables)} AS identity,
      (SELECT value FROM ${meta} WHERE name = 'hints_removed') AS hints_removed,
      ARRAY(SELECT writer FROM ${hints} ORDER BY writer) AS writers,
      ARRAY(SELECT count::text FROM ${hints} ORDER BY writer) AS counts`
}

/** Everything `readHints` tells. */
export function hintsOnlySql(tables: Tables): string {
  return `SELECT ${hintColumnsSql(tables)}`
}

/**
 * Everything `readState` tells. Parameter: writer.
 *
 * The head is found among the keys touched within `TOUCHED_LAG_MS` of the one touched last; only when
 * nothing live there is as new as that (its stamps were of removals, or of appends that stood already)
 * a second look goes further back.
 */
export function stateSql(tables: Tables): string {
  const { meta, keys, cursors } = tables
  const d = `COALESCE(o.deleted_through, ${ZERO})`
  const head = `GREATEST(o.deleted_through,
    CASE WHEN o.register_stamp > ${d} THEN o.register_stamp END,
    ${listHeadSql(tables, 'o.key', d)})`
  const greatest = (condition: string): string => `SELECT ${head} AS head FROM ${keys} o
    WHERE ${condition} ORDER BY head DESC NULLS LAST LIMIT 1`
  const last = '(SELECT touched FROM last)'
  const recent = '(SELECT head FROM recent)'
  return `WITH last AS MATERIALIZED (SELECT touched FROM ${keys} ORDER BY touched DESC LIMIT 1),
    recent AS MATERIALIZED (${greatest(`o.touched >= ${coarseSql(last)}`)}),
    older AS MATERIALIZED (${greatest(
      `o.touched >= ${coarseSql(`COALESCE(${recent}, ${ZERO})`)}
       AND COALESCE(${recent}, ${ZERO}) < ${last}`,
    )})
    SELECT ${hintColumnsSql(tables)},
      (SELECT value FROM ${meta} WHERE name = 'trusted') AS trusted,
      (SELECT lsn FROM ${cursors} WHERE writer = $1) AS lsn,
      GREATEST(${recent}, (SELECT head FROM older)) AS head,
      extract(epoch FROM pg_catalog.clock_timestamp())::double precision * 1000::double precision AS now_ms`
}

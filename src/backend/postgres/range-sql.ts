/*
 * The registers in a range of the time line, for digests and scans. A register stands where the
 * operation that makes it stands: an appended value at the position it came with, an edit and a
 * removal at the item's position, a set and a delete at their stamp. An item whose position is gone
 * by deletedThrough, but not the item, stands at the very beginning.
 *
 * Parameters: from (inclusive), to (exclusive).
 */
import { coarseSql, ZERO } from './head-sql.ts'
import type { Tables } from './tables.ts'

const COLUMNS = `i.key, i.item, i.id, i.position, i.appended_at, i.appended, i.edited_at, i.edited,
  i.removed`
const DIGESTS = `${COLUMNS}, i.digest, i.edited_digest`

/** SQL: items and where their parts stand: `place`, and `appended_place` unless it is NULL. */
function placedItemsSql({ keys, items }: Tables, atBeginning: boolean): string {
  const d = `COALESCE(k.d, ${ZERO})`
  const join = `LEFT JOIN LATERAL (SELECT o.deleted_through AS d FROM ${keys} o
    WHERE o.key = i.key LIMIT 1) k ON true`
  // Bounds that follow from deletedThrough are looked for only where such items can stand.
  const beginning = `UNION ALL
    SELECT ${DIGESTS}, k.deleted_through AS d, ${ZERO} AS place
    FROM ${keys} k JOIN ${items} i ON i.key = k.key AND i.position <= k.deleted_through
    WHERE k.deleted_through IS NOT NULL AND (i.removed OR i.edited_at > k.deleted_through)`
  return `SELECT ${DIGESTS}, ${d} AS d, i.position AS place FROM ${items} i ${join}
    WHERE i.position >= $1::uuid AND i.position < $2::uuid
      AND (k.d IS NULL OR i.position > k.d)
    ${atBeginning ? beginning : ''}`
}

/** SQL: appended values that came with another position than the item has now. */
function movedAppendsSql({ keys, items }: Tables): string {
  return `SELECT ${DIGESTS}, i.appended_at AS place FROM ${items} i
    LEFT JOIN LATERAL (SELECT o.deleted_through AS d FROM ${keys} o
      WHERE o.key = i.key LIMIT 1) k ON true
    WHERE i.appended_at >= $1::uuid AND i.appended_at < $2::uuid AND NOT i.removed
      AND i.appended IS NOT NULL AND (k.d IS NULL OR i.appended_at > k.d)`
}

/** SQL: (place, digest) of every register in the range. */
function registersSql(tables: Tables, atBeginning: boolean): string {
  const { keys } = tables
  // What is below the range less the lag was touched too early to have anything in it.
  const touched = `o.touched >= ${coarseSql('$1::uuid')}`
  return `SELECT p.place, v.digest FROM (${placedItemsSql(tables, atBeginning)}) p
      CROSS JOIN LATERAL (VALUES
        (p.digest, p.removed OR (p.appended IS NOT NULL AND p.appended_at IS NULL
          AND p.position > p.d)),
        (p.edited_digest, NOT p.removed AND p.edited_at > p.d)) AS v(digest, counts)
      WHERE v.counts
    UNION ALL SELECT place, digest FROM (${movedAppendsSql(tables)}) m
    UNION ALL SELECT o.deleted_through, o.deleted_digest FROM ${keys} o
      WHERE ${touched} AND o.deleted_through >= $1::uuid AND o.deleted_through < $2::uuid
    UNION ALL SELECT o.register_stamp, o.register_digest FROM ${keys} o
      WHERE ${touched} AND o.register_stamp >= $1::uuid AND o.register_stamp < $2::uuid
        AND (o.deleted_through IS NULL OR o.register_stamp > o.deleted_through)`
}

/** Digests by bucket. Parameters: from, to, and the lower edges of the buckets. */
export function digestSql(tables: Tables, atBeginning: boolean): string {
  return `SELECT pg_catalog.width_bucket(r.place, $3::uuid[]) AS bucket, pg_catalog.count(*) AS count,
      pg_catalog.sum(r.digest & 16777215::bigint) AS low, pg_catalog.sum(r.digest >> 24) AS high
    FROM (${registersSql(tables, atBeginning)}) r GROUP BY 1`
}

/** Which items of a range a scan reads, and in what order. */
export type ScanKind = 'all' | 'placed' | 'moved'

/** Columns that order a scan, which is also where its next page starts. */
export const SCAN_ORDER: Record<ScanKind, readonly string[]> = {
  all: ['key', 'item'],
  placed: ['position', 'key', 'item'],
  moved: ['appended_at', 'key', 'item'],
}

const TYPES: Record<string, string> = {
  key: 'text',
  item: 'uuid',
  position: 'uuid',
  appended_at: 'uuid',
}

/**
 * A page of items with their key's deletedThrough. `all`: every item, by the primary key. `placed`:
 * those with their position in the range. `moved`: those with an appended value that came with
 * another position, which lies in the range. Parameters: limit, from and to (not with `all`), and
 * the order columns of the last row.
 */
export function scanItemsSql({ keys, items }: Tables, kind: ScanKind): string {
  const order = SCAN_ORDER[kind]
  const place = kind === 'moved' ? 'appended_at' : 'position'
  const first = kind === 'all' ? 2 : 4
  const range = kind === 'all' ? '' : `AND i.${place} >= $2::uuid AND i.${place} < $3::uuid`
  const columns = order.map((name) => `i.${name}`).join(', ')
  const last = order.map((name, i) => `$${first + i}::${TYPES[name]}`).join(', ')
  return `SELECT ${DIGESTS}, k.d FROM ${items} i LEFT JOIN LATERAL (
      SELECT o.deleted_through AS d FROM ${keys} o WHERE o.key = i.key LIMIT 1) k ON true
    WHERE (${columns}) > (${last}) ${range}
    ORDER BY ${columns} LIMIT $1`
}

/** A page of keys with a register or a deletedThrough in the range. Parameters: from, to, after. */
export function scanKeysSql({ keys }: Tables): string {
  return `SELECT o.key, o.deleted_through, o.deleted_digest, o.register_stamp, o.register_value,
      o.register_digest FROM ${keys} o
    WHERE o.key > $3::text AND o.touched >= ${coarseSql('$1::uuid')}
      AND ((o.deleted_through >= $1::uuid AND o.deleted_through < $2::uuid)
        OR (o.register_stamp >= $1::uuid AND o.register_stamp < $2::uuid))
    ORDER BY o.key LIMIT $4`
}

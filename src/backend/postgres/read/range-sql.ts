/*
 * The parts in a range of the time line, for digests and scans. A part stands where the operation that
 * makes it stands: what was appended, edited or removed at its own position, which mostly is that of
 * the row, a set and a delete at their stamp.
 *
 * Parameters: from (inclusive), to (exclusive).
 */
import { halvesSql } from '../../../core/digest.ts'
import { coarseSql, ZERO } from '../rows/head-sql.ts'
import type { Tables } from '../rows/tables.ts'

const DIGESTS = `i.key, i.item, i.id, i.position, i.appended_at, i.appended, i.edited_at, i.edited_of,
  i.edited, i.removed, i.removed_of, i.digest, i.edited_digest, i.removed_digest`

/** Where a part stands when it does not stand at its row's position. */
const APART = { append: 'appended_at', edit: 'edited_of', remove: 'removed_of' } as const

/** SQL: deletedThrough of the item's key, as `k.d`. */
function clearedSql({ keys }: Tables): string {
  return `LEFT JOIN LATERAL (SELECT o.deleted_through AS d FROM ${keys} o
    WHERE o.key = i.key LIMIT 1) k ON true`
}

/** SQL: the parts that stand apart from their row. */
function apartSql(tables: Tables, place: string, digest: string, isThere: string): string {
  return `SELECT i.${place}, i.${digest} FROM ${tables.items} i ${clearedSql(tables)}
    WHERE i.${place} >= $1::uuid AND i.${place} < $2::uuid AND ${isThere}
      AND i.${place} > COALESCE(k.d, ${ZERO})`
}

/** SQL: (place, digest) of every part and register in the range. */
function registersSql(tables: Tables): string {
  const { keys, items } = tables
  // What is below the range less the lag was touched too early to have anything in it.
  const touched = `o.touched >= ${coarseSql('$1::uuid')}`
  return `SELECT i.position AS place, v.digest FROM ${items} i ${clearedSql(tables)}
      CROSS JOIN LATERAL (VALUES
        (i.digest, i.appended IS NOT NULL AND i.appended_at IS NULL),
        (i.edited_digest, i.edited_at IS NOT NULL AND i.edited_of IS NULL),
        (i.removed_digest, i.removed AND i.removed_of IS NULL)) AS v(digest, counts)
      WHERE i.position >= $1::uuid AND i.position < $2::uuid
        AND i.position > COALESCE(k.d, ${ZERO}) AND v.counts
    UNION ALL ${apartSql(tables, APART.append, 'digest', 'i.appended IS NOT NULL')}
    UNION ALL ${apartSql(tables, APART.edit, 'edited_digest', 'i.edited_at IS NOT NULL')}
    UNION ALL ${apartSql(tables, APART.remove, 'removed_digest', 'i.removed')}
    UNION ALL SELECT o.deleted_through, o.deleted_digest FROM ${keys} o
      WHERE ${touched} AND o.deleted_through >= $1::uuid AND o.deleted_through < $2::uuid
    UNION ALL SELECT o.register_stamp, o.register_digest FROM ${keys} o
      WHERE ${touched} AND o.register_stamp >= $1::uuid AND o.register_stamp < $2::uuid
        AND (o.deleted_through IS NULL OR o.register_stamp > o.deleted_through)`
}

/** Digests by bucket. Parameters: from, to, and the lower edges of the buckets. */
export function digestSql(tables: Tables): string {
  const { low, high } = halvesSql('r.digest')
  return `SELECT pg_catalog.width_bucket(r.place, $3::uuid[]) AS bucket, pg_catalog.count(*) AS count,
      pg_catalog.sum(${low}) AS low, pg_catalog.sum(${high}) AS high
    FROM (${registersSql(tables)}) r GROUP BY 1`
}

/** Which items of a range a scan reads, and in what order. */
export type ScanKind = 'all' | 'placed' | 'append' | 'edit' | 'remove'

/** The parts that stand apart from their rows, one after the other. */
export const APART_KINDS = ['append', 'edit', 'remove'] as const

/** Columns that order a scan, which is also where its next page starts. */
export const SCAN_ORDER: Record<ScanKind, readonly string[]> = {
  all: ['key', 'item'],
  placed: ['position', 'key', 'item'],
  append: [APART.append, 'key', 'item'],
  edit: [APART.edit, 'key', 'item'],
  remove: [APART.remove, 'key', 'item'],
}

const TYPES: Record<string, string> = {
  key: 'text',
  item: 'uuid',
  position: 'uuid',
  appended_at: 'uuid',
  edited_of: 'uuid',
  removed_of: 'uuid',
}

/**
 * A page of items with their key's deletedThrough. `all`: every item, by the primary key. `placed`:
 * those with their position in the range. The others: those with such a part that stands apart from
 * the row, in the range. Parameters: limit, from and to (not with `all`), and the order columns of the
 * last row.
 */
export function scanItemsSql(tables: Tables, kind: ScanKind): string {
  const order = SCAN_ORDER[kind]
  const place = order[0]!
  const first = kind === 'all' ? 2 : 4
  const range = kind === 'all' ? '' : `AND i.${place} >= $2::uuid AND i.${place} < $3::uuid`
  const columns = order.map((name) => `i.${name}`).join(', ')
  const last = order.map((name, i) => `$${first + i}::${TYPES[name]}`).join(', ')
  return `SELECT ${DIGESTS}, k.d FROM ${tables.items} i ${clearedSql(tables)}
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

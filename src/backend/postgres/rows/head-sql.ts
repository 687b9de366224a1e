/*
 * Greatest positions by index probes, whatever the length of the list. Items whose position is their
 * id are found at the end of the primary key. Those with other positions have an index of their own,
 * and it is asked first: ids of a caller that are UUIDv7 too stand in the primary key among ours,
 * and must not be gone through.
 */
import { HASHED } from './item-key.ts'
import type { Tables } from './tables.ts'

/** SQL: a uuid below every stamp. */
export const ZERO = `'00000000-0000-0000-0000-000000000000'::uuid`

/** SQL: the condition that a row has a value that readers see; `d` is deletedThrough or ZERO. */
export function visibleSql(row: string, d: string): string {
  return `${row}.position > ${d} AND (NOT ${row}.removed OR ${row}.removed_of <= ${d})
    AND (${row}.appended IS NOT NULL OR ${row}.edited IS NOT NULL)`
}

/**
 * SQL: the greatest position of the key above `d`, or NULL. `visible` limits it to what readers
 * see, and `only`, ` AND …` about the row `i`, to what it says.
 */
export function lastPositionSql(
  { items }: Tables,
  key: string,
  d: string,
  visible: boolean,
  only = '',
): string {
  const seen = `${visible ? ` AND ${visibleSql('i', d)}` : ''}${only}`
  const moved = `SELECT i.position FROM ${items} i
    WHERE i.key = ${key} AND i.position <> i.item AND i.position > ${d}${seen}
    ORDER BY i.position DESC LIMIT 1`
  // The outer reference to m keeps the order: first `moved`, then what is above it.
  return `(SELECT COALESCE(own.position, m.position)
    FROM (SELECT (${moved}) AS position OFFSET 0) m LEFT JOIN LATERAL (
      SELECT i.position FROM ${items} i
      WHERE i.key = ${key} AND i.item < '${HASHED}' AND i.item > GREATEST(${d}, m.position)
        AND i.position = i.item${seen}
      ORDER BY i.item DESC LIMIT 1) own ON true)`
}

/** SQL: the greatest stamp of anything live in the key's list, or NULL. `only`: as above. */
export function listHeadSql(tables: Tables, key: string, d: string, only = ''): string {
  return `GREATEST(${lastPositionSql(tables, key, d, false, only)},
    (SELECT i.edited_at FROM ${tables.items} i
     WHERE i.key = ${key} AND i.edited_at IS NOT NULL AND i.edited_at > ${d}
       AND COALESCE(i.edited_of, i.position) > ${d}${only}
     ORDER BY i.edited_at DESC LIMIT 1))`
}

/**
 * `touched` lags at most this far behind the greatest stamp of its key. Milliseconds. Longer, a busy
 * conversation has its row written less often; shorter, fewer conversations are gone through to find
 * the latest ones and the greatest stamp.
 */
export const TOUCHED_LAG_MS = 1_000

/**
 * SQL: the least uuid of the millisecond `TOUCHED_LAG_MS` before a stamp's. A key with this stamp was touched
 * then or later.
 */
export function coarseSql(stamp: string): string {
  const ms = `('x' || pg_catalog.left(pg_catalog.replace(${stamp}::text, '-', ''), 12))::bit(48)::bigint`
  return `pg_catalog.rpad(pg_catalog.lpad(pg_catalog.to_hex(GREATEST(0, ${ms} - ${TOUCHED_LAG_MS})), 12, '0'), 32, '0')::uuid`
}

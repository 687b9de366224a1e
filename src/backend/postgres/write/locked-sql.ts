/*
 * The statements of a transaction that judges operations on locked rows. Keys are locked before
 * items, each in order, so that transactions do not deadlock.
 */
import { cursorsSql, hintsSql } from './batch-sql.ts'
import { lastPositionSql, listHeadSql, ZERO } from '../rows/head-sql.ts'
import { addItemsSql, mergeItemsSql } from './item-sql.ts'
import { ITEM_COLUMNS, ITEM_SELECT } from '../rows/item-row.ts'
import { identitySql, type Tables } from '../rows/tables.ts'

/** Locks the keys, making those that are missing, and returns them. Parameter: sorted keys. */
export function lockKeysSql(tables: Tables): string {
  return `INSERT INTO ${tables.keys} AS o (key, touched)
    SELECT w.key, ${ZERO} FROM pg_catalog.unnest($1::text[]) AS w(key)
    ON CONFLICT (key) DO UPDATE SET touched = o.touched
    RETURNING key, touched, deleted_through, register_stamp, ${identitySql(tables)} AS identity`
}

/** Locks those of these items that are there. Parameters: keys and items, sorted. */
export function lockItemsSql({ items }: Tables): string {
  return `SELECT w.key, i.* FROM unnest($1::text[], $2::uuid[]) AS w(key, item)
    CROSS JOIN LATERAL (SELECT ${ITEM_SELECT} FROM ${items} t
      WHERE t.key = w.key AND t.item = w.item FOR UPDATE) i`
}

/**
 * The greatest stamp of the rest of each key's list. Parameters: keys, which are locked; the keys and the
 * items of the rows that are locked, which change in the course of the call.
 */
export function headsSql(tables: Tables): string {
  return `SELECT w.key, ${listHeadSql(tables, 'w.key', 'w.d', NOT_LOCKED)} AS head
    FROM ${clearedKeysSql(tables)} w`
}

/** Where the latest visible item of the rest of each key's list stands. Parameters: the same. */
export function latestSql(tables: Tables): string {
  return `SELECT w.key, ${lastPositionSql(tables, 'w.key', 'w.d', true, NOT_LOCKED)} AS latest
    FROM ${clearedKeysSql(tables)} w`
}

const NOT_LOCKED = ` AND NOT EXISTS (SELECT 1 FROM unnest($2::text[], $3::uuid[]) AS l(key, item)
    WHERE l.key = i.key AND l.item = i.item)`

function clearedKeysSql({ keys }: Tables): string {
  return `(SELECT u.key, COALESCE((SELECT o.deleted_through FROM ${keys} o
      WHERE o.key = u.key), ${ZERO}) AS d FROM pg_catalog.unnest($1::text[]) AS u(key) OFFSET 0)`
}

/** Writes keys that are locked. A register is replaced, or dropped by NULL, where `changed`. */
export function writeKeysSql({ keys }: Tables): string {
  return `UPDATE ${keys} o SET
      touched = GREATEST(o.touched, e.touched),
      deleted_digest = CASE WHEN e.deleted_through > COALESCE(o.deleted_through, ${ZERO})
        THEN e.deleted_digest ELSE o.deleted_digest END,
      deleted_through = GREATEST(o.deleted_through, e.deleted_through),
      register_stamp = CASE WHEN e.changed THEN e.register_stamp ELSE o.register_stamp END,
      register_value = CASE WHEN e.changed THEN e.register_value ELSE o.register_value END,
      register_digest = CASE WHEN e.changed THEN e.register_digest ELSE o.register_digest END
    FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bigint[], $5::boolean[], $6::uuid[],
      $7::text[], $8::bigint[]) AS e(key, touched, deleted_through, deleted_digest, changed,
      register_stamp, register_value, register_digest)
    WHERE o.key = e.key`
}

/** Merges items; with `add` they must be new, and those that are not are missing in the answer. */
export function writeItemsSql(tables: Tables, add: boolean): string {
  const names = ITEM_COLUMNS.map(([name]) => name).join(', ')
  const arrays = ITEM_COLUMNS.map(([, type], i) => `$${i + 2}::${type}[]`).join(', ')
  const source = `SELECT key, ${names} FROM unnest($1::text[], ${arrays}) AS r(key, ${names})
    ORDER BY key COLLATE "C", item`
  return add ? addItemsSql(tables, source) : mergeItemsSql(tables, source)
}

/** Raises hints and cursors. */
export function writeMarksSql(tables: Tables, hints: boolean, cursors: boolean): string {
  const steps: string[] = []
  if (hints) steps.push(hintsSql(tables, 1))
  if (cursors) steps.push(cursorsSql(tables, hints ? 2 : 1))
  return `WITH ${steps.join(', ')} SELECT 1`
}

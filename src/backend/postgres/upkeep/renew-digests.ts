/* The digests of an earlier release (`../../renewed-digests.ts`) in all rows, page by page. */
import type { JsonText } from '../../../core/json.ts'
import { STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import { earlierValueSql, renewed, renewedParts, type Renewed } from '../../renewed-digests.ts'
import { itemFrom } from '../rows/item-row.ts'
import type { PgStatement } from '../connection/pg-types.ts'
import type { Session } from '../connection/session.ts'
import type { Tables } from '../rows/tables.ts'

/** Rows that are brought up to date by one statement. */
const ROWS = 1_000

type Row = Record<string, unknown>

export async function renewDigests(session: Session, { keys, items }: Tables): Promise<void> {
  const register = earlierValueSql('register_value', 'register_digest')
  const keysSql = `SELECT key, deleted_through, deleted_digest, register_stamp, register_digest,
      ${register} AS register_value
    FROM ${keys} WHERE key > $1 ORDER BY key LIMIT ${ROWS}`
  await eachPage(
    session,
    (last) => ({ text: keysSql, values: [last?.['key'] ?? ''] }),
    (rows) => updateKeys(keys, rows),
  )
  const itemsSql = `SELECT key, item, id, position, appended_at, edited_at, edited_of, removed,
      removed_of, digest, edited_digest, removed_digest,
      ${earlierValueSql('appended', 'digest')} AS appended,
      ${earlierValueSql('edited', 'edited_digest')} AS edited
    FROM ${items} WHERE (key, item) > ($1::text, $2::uuid) ORDER BY key, item LIMIT ${ROWS}`
  await eachPage(
    session,
    (last) => ({ text: itemsSql, values: [last?.['key'] ?? '', last?.['item'] ?? STAMP_MIN] }),
    (rows) => updateItems(items, rows),
  )
}

async function eachPage(
  session: Session,
  page: (last: Row | undefined) => PgStatement,
  update: (rows: readonly Row[]) => PgStatement,
): Promise<void> {
  let last: Row | undefined
  do {
    const { rows } = await session.query(page(last))
    if (rows.length > 0) await session.query(update(rows))
    last = rows.length < ROWS ? undefined : rows.at(-1)
  } while (last !== undefined)
}

function updateKeys(keys: string, rows: readonly Row[]): PgStatement {
  const names = rows.map((row) => row['key'] as string)
  const deleted = rows.map((row, i) => {
    const digest = numberIn(row, 'deleted_digest')
    if (digest === null) return undefined
    const stamp = row['deleted_through'] as Stamp
    return renewed({ kind: 'delete', key: names[i]!, stamp }, digest)
  })
  const registers = rows.map((row, i) => {
    const digest = numberIn(row, 'register_digest')
    if (digest === null) return undefined
    const stamp = row['register_stamp'] as Stamp
    const value = row['register_value'] as JsonText
    return renewed({ kind: 'set', key: names[i]!, stamp, value }, digest)
  })
  return {
    text: `UPDATE ${keys} o SET deleted_digest = n.deleted, register_digest = n.register,
        register_value = COALESCE(n.value, o.register_value)
      FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[])
        AS n(key, deleted, register, value)
      WHERE o.key = n.key`,
    values: [names, digests(deleted), digests(registers), values(registers)],
  }
}

function updateItems(items: string, rows: readonly Row[]): PgStatement {
  const parts = rows.map((row) => {
    const item = itemFrom(row, undefined)
    if (item === undefined) return {}
    return renewedParts(row['key'] as string, item, {
      append: numberIn(row, 'digest'),
      edit: numberIn(row, 'edited_digest'),
      remove: numberIn(row, 'removed_digest'),
    })
  })
  const [append, edit, remove] = (['append', 'edit', 'remove'] as const).map((change) =>
    parts.map((part) => part[change]),
  )
  return {
    text: `UPDATE ${items} i SET digest = n.digest, edited_digest = n.edited_digest,
        removed_digest = n.removed_digest, appended = COALESCE(n.appended, i.appended),
        edited = COALESCE(n.edited, i.edited)
      FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
        $7::text[]) AS n(key, item, digest, edited_digest, removed_digest, appended, edited)
      WHERE i.key = n.key AND i.item = n.item`,
    values: [
      rows.map((row) => row['key']),
      rows.map((row) => row['item']),
      ...[append!, edit!, remove!].map(digests),
      ...[append!, edit!].map(values),
    ],
  }
}

function numberIn(row: Row, column: string): number | null {
  return row[column] === null ? null : Number(row[column])
}

function digests(column: readonly (Renewed | undefined)[]): readonly (number | null)[] {
  return column.map((part) => part?.digest ?? null)
}

function values(column: readonly (Renewed | undefined)[]): readonly (JsonText | null)[] {
  return column.map((part) => part?.value ?? null)
}

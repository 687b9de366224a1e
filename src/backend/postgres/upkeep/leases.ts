import {
  fenced,
  isUserLease,
  LEASE_MS_MAX,
  LEASE_UNUSED_MS,
  LEASES_SWEPT,
  USER_LEASE,
} from '../../lease.ts'
import type { Hint, Lease, LeaseFence, LeaseRequest } from '../../replica-backend.ts'
import type { Session } from '../connection/session.ts'
import { prepared } from '../connection/statement.ts'
import type { PgStatement } from '../connection/pg-types.ts'
import type { Tables } from '../rows/tables.ts'

/** The server's wall clock; of the statement, not of its transaction. Unix milliseconds. */
const NOW =
  '(extract(epoch FROM pg_catalog.clock_timestamp())::double precision * 1000::double precision)::bigint'

/** As `grantLease` decides, in one statement: the row's lock makes it atomic. */
export async function leaseRow(
  session: Session,
  { leases }: Tables,
  { name, holder, ttlMs, token, note }: LeaseRequest,
): Promise<Lease | undefined> {
  const statement =
    token === undefined
      ? prepared(
          `INSERT INTO ${leases} AS l (name, holder, token, expires_ms, note)
           VALUES ($1, $2, ${NOW}, ${NOW} + $3::bigint, $4)
           ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder,
             token = greatest(l.token + 1, EXCLUDED.token), expires_ms = EXCLUDED.expires_ms,
             note = coalesce(EXCLUDED.note, l.note)
           WHERE l.holder = EXCLUDED.holder OR l.expires_ms <= ${NOW}
             OR l.expires_ms > ${NOW} + ${LEASE_MS_MAX}
           RETURNING token, note`,
          [name, holder, ttlMs, note ?? null],
        )
      : prepared(
          `UPDATE ${leases} SET expires_ms = ${NOW} + $3::bigint, note = coalesce($4, note)
           WHERE name = $1 AND token = $2 RETURNING token, note`,
          [name, token, ttlMs, note ?? null],
        )
  const { rows } = await session.write(statement)
  const row = rows[0]
  if (row === undefined) return undefined
  if (token === undefined && isUserLease(name)) {
    for (const from of [name, USER_LEASE]) await session.write(sweep({ leases }, from))
  }
  const kept = row['note'] as string | null
  return { token: Number(row['token']), ...(kept !== null && { note: kept }) }
}

/** Removes unused leases of applications among those that follow a name: with each one that is taken, others. */
function sweep({ leases }: Pick<Tables, 'leases'>, from: string): PgStatement {
  return prepared(
    `DELETE FROM ${leases} l WHERE l.expires_ms < ${NOW} - ${LEASE_UNUSED_MS}
       AND pg_catalog.left(l.name, 4) IN ('${USER_LEASE}/', '${USER_LEASE}#')
       AND l.name = ANY (ARRAY(SELECT o.name FROM ${leases} o WHERE o.name > $1
         ORDER BY o.name LIMIT ${LEASES_SWEPT} FOR UPDATE SKIP LOCKED))`,
    [from],
  )
}

/** Notes the other database, unless the fence stands in the way. */
export async function trustFenced(
  session: Session,
  tables: Tables,
  identity: string,
  fence: LeaseFence | undefined,
): Promise<void> {
  const statement = prepared(
    `WITH fence AS (${fenceSql(tables, 2)})
     INSERT INTO ${tables.meta} SELECT 'trusted', $1 WHERE NOT EXISTS (SELECT 1 FROM fence
       WHERE token > $3)
     ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value RETURNING 1`,
    [identity, ...fenceValues(fence)],
  )
  const { rows } = await session.write(statement)
  if (rows.length === 0) throw fenced(fence!)
}

/**
 * Removes each hint whose count is the same, unless the fence stands in the way, and counts that it did:
 * whoever saw no hints before and after can tell whether there were some in between. A hint that goes in
 * any other way was lost (`guards.ts`).
 */
export async function removeHintsFenced(
  session: Session,
  tables: Tables,
  hints: readonly Hint[],
  fence: LeaseFence | undefined,
): Promise<void> {
  const mark = prepared(
    `WITH fence AS (${fenceSql(tables, 3)}), newer AS (SELECT 1 FROM fence WHERE token > $4),
     gone AS (
       UPDATE ${tables.hints} h SET count = 0
       FROM unnest($1::text[], $2::bigint[]) AS r(writer, count)
       WHERE h.writer = r.writer AND h.count = r.count AND NOT EXISTS (SELECT 1 FROM newer)
       RETURNING 1),
     counted AS (
       INSERT INTO ${tables.meta} AS m SELECT 'hints_removed', '1' WHERE EXISTS (SELECT 1 FROM gone)
       ON CONFLICT (name) DO UPDATE SET value = (m.value::bigint + 1)::text)
     SELECT 1 FROM newer`,
    [hints.map(({ writer }) => writer), hints.map(({ count }) => count), ...fenceValues(fence)],
  )
  await session.transaction(async () => {
    const { rows } = await session.query(mark)
    if (rows.length > 0) throw fenced(fence!)
    await session.query(prepared(`DELETE FROM ${tables.hints} WHERE count = 0::bigint`, []))
  })
}

/** SQL: the token that stands. Locked, so that nobody takes the lease before this has ended. */
function fenceSql({ leases }: Tables, parameter: number): string {
  return `SELECT token FROM ${leases} WHERE name = $${parameter}::text FOR SHARE`
}

function fenceValues(fence: LeaseFence | undefined): unknown[] {
  return [fence?.name ?? null, fence?.token ?? 0]
}

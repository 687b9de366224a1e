import {
  checkFence,
  grantLease,
  isUserLease,
  LEASE_UNUSED_MS,
  leaseOf,
  LEASES_SWEPT,
  USER_LEASE,
  type StoredLease,
} from '../../lease.ts'
import type { Hint, Lease, LeaseFence, LeaseRequest } from '../../replica-backend.ts'
import type { SqliteConnection } from '../connection/connection.ts'

interface LeaseRow {
  readonly holder: string
  readonly token: number
  readonly expires_ms: number
  readonly note: string | null
}

const FIND = 'SELECT holder, token, expires_ms, note FROM everthread_leases WHERE name = ?'
const WRITE = 'INSERT OR REPLACE INTO everthread_leases VALUES (?, ?, ?, ?, ?)'
/** Those that follow a name: with each lease that is taken, others. */
const SWEEP = `
  DELETE FROM everthread_leases WHERE expires_ms < ?3 AND (name GLOB 'key/*' OR name GLOB 'key#*') AND name IN (
    SELECT name FROM everthread_leases WHERE name > ?1 AND name < 'key0'
    ORDER BY name LIMIT ?2)`
const MARK_HINT = 'UPDATE everthread_hints SET count = 0 WHERE writer = ? AND count = ?'
const REMOVE_HINTS = 'DELETE FROM everthread_hints WHERE count = 0'
const TRUST = 'UPDATE everthread_meta SET trusted = ?'

export function lease(
  connection: SqliteConnection,
  request: LeaseRequest,
  nowMs: number,
): Lease | undefined {
  const granted = grantLease(findLease(connection, request.name), request, nowMs)
  if (granted === undefined) return undefined
  writeLease(connection, request.name, granted)
  if (request.token === undefined && isUserLease(request.name)) {
    for (const from of [request.name, USER_LEASE]) {
      connection.run(SWEEP, from, LEASES_SWEPT, nowMs - LEASE_UNUSED_MS)
    }
  }
  return leaseOf(granted)
}

export function removeHints(
  connection: SqliteConnection,
  hints: readonly Hint[],
  fence: LeaseFence | undefined,
): void {
  checkFence(fence, (name) => findLease(connection, name)?.token)
  for (const { writer, count } of hints) connection.run(MARK_HINT, writer, count)
  connection.run(REMOVE_HINTS)
}

export function trust(
  connection: SqliteConnection,
  identity: string,
  fence: LeaseFence | undefined,
): void {
  checkFence(fence, (name) => findLease(connection, name)?.token)
  connection.run(TRUST, identity)
}

function findLease(connection: SqliteConnection, name: string): StoredLease | undefined {
  const row = connection.get<LeaseRow>(FIND, name)
  if (row === undefined) return undefined
  const { holder, token, expires_ms: expiresMs, note } = row
  return { holder, token, expiresMs, ...(note !== null && { note }) }
}

function writeLease(connection: SqliteConnection, name: string, lease: StoredLease): void {
  const { holder, token, expiresMs, note } = lease
  connection.run(WRITE, name, holder, token, expiresMs, note ?? null)
}

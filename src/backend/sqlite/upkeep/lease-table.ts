import type { StoredLease } from '../../lease.ts'
import type { SqliteSession } from '../connection/session.ts'

interface LeaseRow {
  readonly holder: string
  readonly token: number
  readonly expires_ms: number
  readonly note: string | null
}

const FIND = 'SELECT holder, token, expires_ms, note FROM everthread_leases WHERE name = ?'
const WRITE = 'INSERT OR REPLACE INTO everthread_leases VALUES (?, ?, ?, ?, ?)'

export function findLease(session: SqliteSession, name: string): StoredLease | undefined {
  const row = session.get<LeaseRow>(FIND, name)
  if (row === undefined) return undefined
  const { holder, token, expires_ms: expiresMs, note } = row
  return { holder, token, expiresMs, ...(note !== null && { note }) }
}

/** Within the transaction that has found it. */
export function writeLease(session: SqliteSession, name: string, lease: StoredLease): void {
  const { holder, token, expiresMs, note } = lease
  session.run(WRITE, name, holder, token, expiresMs, note ?? null)
}

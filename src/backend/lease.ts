import { StorageError } from '../core/errors.ts'
import { DAY_MS } from '../core/time.ts'
import { checkInteger, checkText } from '../core/limits.ts'
import type { Lease, LeaseFence, LeaseRequest } from './replica-backend.ts'

/** Longest time that a lease can be taken for. Milliseconds. */
export const LEASE_MS_MAX = 600_000
export const LEASE_NAME_BYTES_MAX = 128
/** Leases whose names begin so are of applications: one that nobody has used for a day is removed. */
export const USER_LEASE = 'key'
/** How long ago such a lease has ended when it is removed. Milliseconds. */
export const LEASE_UNUSED_MS: number = DAY_MS
/** Leases that are looked at whenever one of applications is taken. */
export const LEASES_SWEPT = 16
/** Longest note that is kept with a lease, in UTF-8 bytes. */
const LEASE_NOTE_BYTES_MAX = 8_192

/** A lease as an engine keeps it; it stays, with its token and note, when nobody holds it. */
export interface StoredLease {
  readonly holder: string
  readonly token: number
  /** By the server's clock, Unix milliseconds. */
  readonly expiresMs: number
  readonly note?: string
}

/** Refuses a request that no engine could keep. */
export function checkLease({ name, holder, ttlMs, token, note }: LeaseRequest): void {
  checkText('lease name', name, LEASE_NAME_BYTES_MAX)
  checkText('lease holder', holder, LEASE_NAME_BYTES_MAX)
  checkInteger('lease ttlMs', ttlMs, token === undefined ? 1 : 0, LEASE_MS_MAX)
  if (note !== undefined) checkText('lease note', note, LEASE_NOTE_BYTES_MAX)
}

/**
 * What the request makes of the lease that stands; undefined when another one holds it. For engines
 * that read, decide and write in one atomic step.
 *
 * A token is greater than all before it, and not below the clock: it stays so when a database is made
 * anew. An expiry further ahead than any lease may reach is that of a clock that was set back since.
 */
export function grantLease(
  existing: StoredLease | undefined,
  { holder, ttlMs, token, note }: LeaseRequest,
  nowMs: number,
): StoredLease | undefined {
  const expiresMs = nowMs + ttlMs
  const kept = note ?? existing?.note
  const noted = kept === undefined ? {} : { note: kept }
  if (token !== undefined) {
    if (existing?.token !== token) return undefined
    return { ...existing, expiresMs, ...noted }
  }
  const isHeld =
    existing !== undefined &&
    existing.holder !== holder &&
    existing.expiresMs > nowMs &&
    existing.expiresMs <= nowMs + LEASE_MS_MAX
  if (isHeld) return undefined
  return { holder, token: Math.max(nowMs, (existing?.token ?? 0) + 1), expiresMs, ...noted }
}

/** True for a lease that is of no use to anybody any more. */
export function isUnused(name: string, { expiresMs }: StoredLease, nowMs: number): boolean {
  return isUserLease(name) && expiresMs < nowMs - LEASE_UNUSED_MS
}

/** True for a lease of an application: those of the store itself keep their notes. */
export function isUserLease(name: string): boolean {
  return name.startsWith(`${USER_LEASE}/`) || name.startsWith(`${USER_LEASE}#`)
}

/** What the holder is told of a lease. */
export function leaseOf({ token, note }: StoredLease): Lease {
  return note === undefined ? { token } : { token, note }
}

/** Refuses a call whose lease was taken over since. */
export function checkFence(
  fence: LeaseFence | undefined,
  tokenOf: (name: string) => number | undefined,
): void {
  if (fence === undefined || (tokenOf(fence.name) ?? 0) <= fence.token) return
  throw fenced(fence)
}

/** The refusal of a call whose lease was taken over since. */
export function fenced({ name }: LeaseFence): StorageError {
  return new StorageError('REJECTED', `the lease ${name} was taken over by another holder`)
}

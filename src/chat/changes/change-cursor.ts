/*
 * A cursor says what a follower has been told, so that any process can go on from there:
 *
 *   of a conversation   base64url of "c1 HASH FLOOR CLEARED COUNT SUM": messages up to FLOOR as a count and a
 *                       sum, those behind it are told again; CLEARED is the last clear that was told
 *   of a tenant         base64url of "t1 HASH FLOOR"
 *
 * HASH is of the key or prefix that it is about. Nothing is secret in it, and forging one misleads nobody
 * else, so it is not signed.
 */
import { hash } from 'node:crypto'
import { invalid } from '../../core/errors.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { Total } from './summary.ts'

/** What a follower has been told of a conversation. */
export interface Known {
  /** Behind it messages are told again; `STAMP_MIN`: all of them. */
  readonly floor: Stamp
  readonly deletedThrough: Stamp
  /** Of the messages up to `floor`; undefined where it is not known. */
  readonly total: Total | undefined
}

const CURSOR_LENGTH_MAX = 256
const STAMP = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const CONVERSATION = new RegExp(
  `^c1 ([0-9a-f]{16}) (${STAMP}) (${STAMP}) (\\d{1,15}|-) (\\d{1,15})$`,
)
const TENANT = new RegExp(`^t1 ([0-9a-f]{16}) (${STAMP})$`)

export function formatCursor(key: string, { floor, deletedThrough, total }: Known): string {
  const sums = total === undefined ? '- 0' : `${total.count} ${total.sum}`
  return encode(`c1 ${hashOf(key)} ${floor} ${deletedThrough} ${sums}`)
}

/** @throws StorageError `INVALID_ARGUMENT` for what is no cursor of this conversation. */
export function parseConversationCursor(key: string, cursor: string): Known {
  const [, of, floor, deletedThrough, count, sum] = CONVERSATION.exec(decode(cursor)) ?? []
  if (of !== hashOf(key)) throw invalid('since must be a cursor of a change of this conversation')
  const total = count === '-' ? undefined : { count: Number(count), sum: Number(sum) }
  return { floor: floor as Stamp, deletedThrough: deletedThrough as Stamp, total }
}

export function formatTenantCursor(prefix: string, floor: Stamp): string {
  return encode(`t1 ${hashOf(prefix)} ${floor}`)
}

/** @throws StorageError `INVALID_ARGUMENT` for what is no cursor of this tenant. */
export function parseTenantCursor(prefix: string, cursor: string): Stamp {
  const [, of, floor] = TENANT.exec(decode(cursor)) ?? []
  if (of !== hashOf(prefix)) throw invalid('since must be a cursor of a change of this tenant')
  return floor as Stamp
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url')
}

function decode(cursor: string): string {
  return cursor.length > CURSOR_LENGTH_MAX ? '' : Buffer.from(cursor, 'base64url').toString()
}

function hashOf(name: string): string {
  return hash('sha256', name, 'hex').slice(0, 16)
}

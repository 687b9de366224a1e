/* What the base layer is handed besides values. Each check refuses with `INVALID_ARGUMENT`. */
import type { KeyQuery, LatestKey, LatestQuery } from '../backend/replica-backend.ts'
import { invalid } from '../core/errors.ts'
import { fieldsOf } from '../core/given.ts'
import {
  checkArray,
  checkFunction,
  checkInteger,
  checkObject,
  checkOneOf,
  checkPrefix,
  checkText,
  KEY_BYTES_MAX,
  MESSAGE_ID_BYTES_MAX,
  PAGE_ITEMS_MAX,
} from '../core/limits.ts'
import { DATABASE_PLACES } from '../core/operation.ts'
import { showValue } from '../core/show-value.ts'
import { isStamp, STAMP_LIMIT, type Stamp } from '../core/stamp.ts'
import type { ItemsQuery } from '../strategy/read/read-port.ts'
import type { VerifyOptions } from '../sync/reconciler.ts'

/** A bound of a page may be any text of a stamp's form: those of times are no stamps. */
const BOUND = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function checkKey(key: unknown): asserts key is string {
  checkText('key', key, KEY_BYTES_MAX)
}

export function checkIds(ids: unknown): asserts ids is readonly string[] {
  checkArray('ids', ids)
  for (const id of ids) checkText('id', id, MESSAGE_ID_BYTES_MAX)
}

/**
 * A stamp, and not one that no clock could follow: what is cleared or moved there could never be written
 * again.
 */
export function checkStamp(name: string, stamp: unknown): asserts stamp is Stamp {
  if (isStamp(stamp) && stamp < STAMP_LIMIT) return
  throw invalid(`${name} must be that of an item, got ${showValue(stamp)}`)
}

export function checkedItemsQuery(given: ItemsQuery): ItemsQuery {
  const query = givenQuery(given)
  checkKey(query.key)
  checkLimit(query.limit)
  checkOneOf('order', query.order, ['newest', 'oldest'])
  if (query.before !== undefined) checkBound('before', query.before)
  if (query.after !== undefined) checkBound('after', query.after)
  return query
}

export function checkedKeysQuery(given: KeyQuery): KeyQuery {
  const query = givenQuery(given)
  checkPrefix('prefix', query.prefix, KEY_BYTES_MAX)
  checkLimit(query.limit)
  if (query.after !== undefined) checkPrefix('after', query.after, KEY_BYTES_MAX)
  return query
}

export function checkedLatestQuery(given: LatestQuery): LatestQuery {
  const query = givenQuery(given)
  checkPrefix('prefix', query.prefix, KEY_BYTES_MAX)
  checkLimit(query.limit)
  if (query.before === undefined) return query
  checkObject('before', query.before)
  const before = fieldsOf<LatestKey>('before', query.before)
  checkBound('before.latest', before.latest)
  checkPrefix('before.key', before.key, KEY_BYTES_MAX)
  return { ...query, before: { latest: before.latest, key: before.key } }
}

/** What `reconcile`, `verify` and `repair` are handed. */
export function checkedPassOptions<T extends VerifyOptions>(given: T | undefined): T | undefined {
  if (given === undefined) return undefined
  const options = fieldsOf('options', given) as T
  const { scope, into, rowsPerSecond, onProgress, signal } = options
  if (scope !== undefined) checkOneOf('scope', scope, ['full', 'recent'])
  if (into !== undefined) checkOneOf('into', into, DATABASE_PLACES)
  if (rowsPerSecond !== undefined) checkInteger('rowsPerSecond', rowsPerSecond, 1, 1_000_000_000)
  if (onProgress !== undefined) checkFunction('onProgress', onProgress)
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid(`signal must be an AbortSignal, got ${showValue(signal)}`)
  }
  return options
}

function givenQuery<T extends object>(query: T): T {
  checkObject('query', query)
  return fieldsOf('query', query) as T
}

function checkLimit(limit: unknown): void {
  checkInteger('limit', limit, 1, PAGE_ITEMS_MAX)
}

function checkBound(name: string, bound: unknown): asserts bound is Stamp {
  if (typeof bound === 'string' && BOUND.test(bound)) return
  throw invalid(`${name} must be a position, got ${showValue(bound)}`)
}

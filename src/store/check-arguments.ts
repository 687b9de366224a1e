/* What the base layer is handed besides values. Each check refuses with `INVALID_ARGUMENT`. */
import type { KeyQuery, LatestKey, LatestQuery } from '../backend/replica-backend.ts'
import { invalid } from '../core/errors.ts'
import { fieldsOf } from '../core/given.ts'
import { isJson, type JsonText } from '../core/json.ts'
import {
  checkArray,
  checkObject,
  checkOneOf,
  checkPrefix,
  checkText,
  KEY_BYTES_MAX,
  MESSAGE_ID_BYTES_MAX,
  PAGE_ITEMS_MAX,
} from '../core/limits.ts'
import type { Operation } from '../core/operation.ts'
import { DATABASE_PLACES } from '../core/places.ts'
import {
  argument,
  boolean,
  callback,
  fields,
  having,
  integer,
  ms,
  oneOf,
  text,
  value,
} from '../core/option-kinds.ts'
import { resolve, type Option, type OptionTable } from '../core/options.ts'
import { SEARCH_TERMS_MAX, type SearchTerms } from '../core/search/search-terms.ts'
import { showValue } from '../core/show-value.ts'
import { isStamp, STAMP_LIMIT, type Stamp } from '../core/stamp.ts'
import type { HealthManager } from '../health/health-manager.ts'
import type { ItemsQuery, ItemsSearch } from '../strategy/read/read-port.ts'
import { ROWS_PER_SECOND } from '../sync/reconcile-options.ts'
import { WALManager } from '../wal/wal-manager.ts'
import { OLDER_THAN_MS_MAX, type PassOptions, type VerifyOptions } from '../sync/reconciler.ts'

/** A bound of a page may be any text of a stamp's form: those of times are no stamps. */
const BOUND = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function checkKey(key: unknown): asserts key is string {
  checkText('key', key, KEY_BYTES_MAX)
}

export function checkIds(ids: unknown): asserts ids is readonly string[] {
  checkArray('ids', ids)
  for (const id of ids) checkText('id', id, MESSAGE_ID_BYTES_MAX)
}

/** What an erase is about: one target at least. */
export function checkTargets(scope: unknown, target: unknown): readonly string[] {
  checkOneOf('scope', scope, ['key', 'prefix'])
  const targets = Array.isArray(target) ? (target as readonly unknown[]) : [target]
  if (targets.length === 0) throw invalid('target must not be empty')
  for (const each of targets) {
    if (scope === 'key') checkKey(each)
    else checkPrefix('prefix', each, KEY_BYTES_MAX)
  }
  return targets as readonly string[]
}

/**
 * A stamp, and not one that no clock could follow: what is cleared or moved there could never be written
 * again.
 */
export function checkStamp(name: string, stamp: unknown): asserts stamp is Stamp {
  if (isStamp(stamp) && stamp < STAMP_LIMIT) return
  throw invalid(`${name} must be that of an item, got ${showValue(stamp)}`)
}

/** Operations as a caller makes them. @throws StorageError `INVALID_ARGUMENT` that names the field. */
export function checkOperations(
  name: string,
  operations: unknown,
): asserts operations is readonly Operation[] {
  checkArray(name, operations)
  for (const [i, operation] of operations.entries()) {
    const at = `${name}[${i}]`
    checkObject(at, operation)
    const given = fieldsOf(at, operation) as Record<string, unknown>
    const { kind, change, key, id, position, stamp, value } = given
    checkOneOf(`${at}.kind`, kind, ['set', 'put', 'delete'])
    checkText(`${at}.key`, key, KEY_BYTES_MAX)
    checkStamp(`${at}.stamp`, stamp)
    if (kind === 'put') {
      checkOneOf(`${at}.change`, change, ['append', 'edit', 'remove'])
      checkText(`${at}.id`, id, MESSAGE_ID_BYTES_MAX)
      checkStamp(`${at}.position`, position)
    }
    const hasValue = kind === 'set' || (kind === 'put' && change !== 'remove')
    if (hasValue && (typeof value !== 'string' || !isJson(value as JsonText))) {
      throw invalid(`${at}.value must be JSON text, got ${showValue(value)}`)
    }
  }
}

const POSITION: Option<Stamp> = value(
  'a position',
  (given) => typeof given === 'string' && BOUND.test(given),
)
const PREFIX: Option<string> = {
  takes: `text of at most ${KEY_BYTES_MAX} bytes`,
  check(path, prefix) {
    checkPrefix(path, prefix, KEY_BYTES_MAX)
    return prefix
  },
}
const LIMIT = argument(integer(1, PAGE_ITEMS_MAX))
const LATEST_KEY: OptionTable<LatestKey> = { latest: argument(POSITION), key: argument(PREFIX) }

const ITEMS_QUERY: OptionTable<ItemsQuery> = {
  key: argument(text(KEY_BYTES_MAX)),
  before: POSITION,
  after: POSITION,
  limit: LIMIT,
  order: argument(oneOf('newest', 'oldest')),
  includeGone: boolean(),
}
const TERMS: Option<SearchTerms> = value('terms that parseSearch made', isTerms)
const ITEMS_SEARCH: OptionTable<ItemsSearch> = {
  terms: argument(TERMS),
  prefix: argument(PREFIX),
  key: text(KEY_BYTES_MAX),
  role: text(),
  before: POSITION,
  after: POSITION,
  limit: LIMIT,
}
const KEYS_QUERY: OptionTable<KeyQuery> = { prefix: argument(PREFIX), after: PREFIX, limit: LIMIT }
const LATEST_QUERY: OptionTable<LatestQuery> = {
  prefix: argument(PREFIX),
  before: fields(LATEST_KEY),
  limit: LIMIT,
}
const PASS: OptionTable<PassOptions> = {
  scope: oneOf('full', 'recent'),
  into: oneOf(...DATABASE_PLACES),
  rowsPerSecond: ROWS_PER_SECOND,
  onProgress: callback(),
  signal: value('an AbortSignal', (given) => given instanceof AbortSignal),
}
const VERIFY: OptionTable<VerifyOptions> = {
  ...PASS,
  deep: boolean(),
  olderThanMs: ms(0, OLDER_THAN_MS_MAX),
}

export function checkedItemsQuery(query: ItemsQuery): ItemsQuery {
  return resolve('', query, ITEMS_QUERY)
}

export function checkedItemsSearch(query: ItemsSearch): ItemsSearch {
  return resolve('', query, ITEMS_SEARCH)
}

/** What `parseSearch` makes. */
function isTerms(given: unknown): boolean {
  const { all, none } = (given ?? {}) as Partial<SearchTerms>
  return isTermList(all) && isTermList(none) && all.length > 0
}

function isTermList(given: unknown): given is SearchTerms['all'] {
  if (!Array.isArray(given) || given.length > SEARCH_TERMS_MAX) return false
  return given.every((term) => Array.isArray(term) && term.length > 0 && term.every(isUnit))
}

function isUnit(given: unknown): boolean {
  return typeof (given as { readonly word?: unknown } | null)?.word === 'string'
}

export function checkedKeysQuery(query: KeyQuery): KeyQuery {
  return resolve('', query, KEYS_QUERY)
}

export function checkedLatestQuery(query: LatestQuery): LatestQuery {
  return resolve('', query, LATEST_QUERY)
}

/** What `reconcile` and `repair` are handed. */
export function checkedPassOptions(options: PassOptions | undefined): PassOptions {
  return resolve('', options, PASS)
}

/** What `verify` is handed. */
export function checkedVerifyOptions(options: VerifyOptions | undefined): VerifyOptions {
  return resolve('', options, VERIFY)
}

export const HEALTH_MANAGER: Option<HealthManager> = having<HealthManager>('a health manager', [
  'isHealthy',
  'markSuccess',
  'markFailure',
  'getHealthStats',
  'startHealthCheck',
  'stopHealthCheck',
])
export const WAL_MANAGER: Option<WALManager> = value<WALManager>(
  'a WALManager',
  (given) => given instanceof WALManager,
)

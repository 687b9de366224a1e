/* What the base layer is handed besides values. Each check refuses with `INVALID_ARGUMENT`. */
import type { KeyQuery, LatestKey, LatestQuery } from '../backend/replica-backend.ts'
import { invalid } from '../core/errors.ts'
import {
  checkArray,
  checkPrefix,
  checkText,
  KEY_BYTES_MAX,
  MESSAGE_ID_BYTES_MAX,
  PAGE_ITEMS_MAX,
} from '../core/limits.ts'
import { DATABASE_PLACES } from '../core/places.ts'
import {
  boolean,
  callback,
  fields,
  integer,
  ms,
  needed,
  oneOf,
  text,
  value,
} from '../core/option-kinds.ts'
import { resolve, type Option, type OptionTable } from '../core/options.ts'
import { showValue } from '../core/show-value.ts'
import { isStamp, STAMP_LIMIT, type Stamp } from '../core/stamp.ts'
import type { ItemsQuery } from '../strategy/read/read-port.ts'
import { ROWS_PER_SECOND } from '../sync/reconcile-options.ts'
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
export function checkTargets(targets: unknown): readonly string[] {
  checkArray('target', targets)
  if (targets.length === 0) throw invalid('target must not be empty')
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
const LIMIT = needed(integer(1, PAGE_ITEMS_MAX))
const LATEST_KEY: OptionTable<LatestKey> = { latest: needed(POSITION), key: needed(PREFIX) }

const ITEMS_QUERY: OptionTable<ItemsQuery> = {
  key: needed(text(KEY_BYTES_MAX)),
  before: POSITION,
  after: POSITION,
  limit: LIMIT,
  order: needed(oneOf('newest', 'oldest')),
  includeGone: boolean(),
}
const KEYS_QUERY: OptionTable<KeyQuery> = { prefix: needed(PREFIX), after: PREFIX, limit: LIMIT }
const LATEST_QUERY: OptionTable<LatestQuery> = {
  prefix: needed(PREFIX),
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

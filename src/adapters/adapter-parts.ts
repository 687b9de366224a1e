/*
 * What adapters share: keys of any text, groups of values of any size, changes that nobody else's are lost by, and removals that are
 * complete or an error.
 */
import { tenantPrefix } from '../chat/keys.ts'
import type { Condition } from '../core/conditions.ts'
import { invalid, isStorageError, StorageError } from '../core/errors.ts'
import { GROUP_BYTES_MAX } from '../core/limits.ts'
import { showKind } from '../core/show-value.ts'
import { backoffMs } from '../core/time.ts'
import type { KeyValue } from '../store/bulk/bulk-types.ts'
import type { Change } from '../store/changes/change.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import type { Decider } from '../strategy/write/write-port.ts'

/** Most bytes of one group: half of what one may have, for what stands beside the values. */
const BYTES_MAX: number = GROUP_BYTES_MAX / 2
/** Keys that one call removes. */
const KEYS_AT_ONCE = 100_000
/** Keys and values that are read at once. */
const PAGE = 100
/** Times that a value is read anew because another process changed it meanwhile. */
const TRIES_MAX = 40
const PAUSE = { firstMs: 2, maxMs: 200 }

/** What all keys of an adapter start with that are no conversations. `eraseTenant` takes them along. */
export function adapterPrefix(tenant: string, adapter: string): string {
  return `${tenantPrefix(tenant, 'adapter')}${adapter}/`
}

/**
 * Any text as a part of a key: without `/`, and without what no key may have.
 *
 * @throws StorageError `INVALID_ARGUMENT` for what is no text.
 */
export function keyPart(text: string, name = 'key'): string {
  if (typeof text !== 'string') throw invalid(`${name} must be a string, got ${showKind(text)}`)
  return text.replace(/[%/\p{Cc}\p{Cs}]/gu, (character) => {
    return `%${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** The text of which `keyPart` made this. */
export function textOfPart(part: string): string {
  return part.replace(/%([0-9a-f]{4})/g, (_, code: string) => {
    return String.fromCharCode(Number.parseInt(code, 16))
  })
}

/** The values in groups of at most so many, and of at most 8 MiB unless one alone has more. */
export function groupsOf<T>(
  values: readonly T[],
  countMax: number,
  bytesOf: (value: T) => number,
): T[][] {
  const groups: T[][] = []
  let group: T[] = []
  let bytes = 0
  for (const value of values) {
    const own = bytesOf(value)
    if (group.length === countMax || (group.length > 0 && bytes + own > BYTES_MAX)) {
      groups.push(group)
      group = []
      bytes = 0
    }
    group.push(value)
    bytes += own
  }
  return group.length === 0 ? groups : [...groups, group]
}

/**
 * Removes everything under the prefix.
 *
 * @throws StorageError `UNAVAILABLE` while a place is away that may have more; what was found is removed then.
 */
export async function removeAll(store: StrategicStorageManager, prefix: string): Promise<void> {
  for (;;) {
    const { deleted, done } = await store.deletePrefix(prefix, { maxKeys: KEYS_AT_ONCE })
    if (done) return
    if (deleted < KEYS_AT_ONCE) throw mayHaveMore()
  }
}

/** Of a removal by what a place had that could not see all. */
export function mayHaveMore(): StorageError {
  const text = 'a place is away that may have more to be removed: repeat it'
  return new StorageError('UNAVAILABLE', text, { effect: 'unknown', operation: 'delete' })
}

/** All keys with values under the prefix, a page at a time. */
export async function* entriesOf<T>(
  store: StrategicStorageManager,
  prefix: string,
): AsyncGenerator<KeyValue<T>, void, undefined> {
  let after: string | undefined
  for (;;) {
    const query = { prefix, limit: PAGE, ...(after !== undefined && { after }) }
    const { entries, done } = await store.entries<T>(query)
    yield* entries
    after = entries.at(-1)?.key
    if (done || after === undefined) return
  }
}

/** What becomes of a value: another one, none at all (null), or what it is (undefined). */
export interface Next<R> {
  readonly result: R
  readonly value?: unknown
  /** Unix milliseconds. */
  readonly expiresAt?: number | undefined
}

/**
 * Reads a value and writes what becomes of it, until nobody else was faster.
 *
 * @throws StorageError `OVERLOADED` after 40 tries.
 */
export async function changeValue<T, R>(
  store: StrategicStorageManager,
  key: string,
  decide: Decider,
  next: (value: T | undefined) => Next<R>,
): Promise<R> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const entry = await store.getEntry<T>(key)
    const { result, value, expiresAt } = next(entry?.value)
    if (value === undefined || (value === null && entry === undefined)) return result
    const change =
      value === null
        ? ({ kind: 'delete', key } as const)
        : ({ kind: 'set', key, value, ...(expiresAt !== undefined && { expiresAt }) } as const)
    const stands = entry === undefined ? ({ absent: true } as const) : { stamp: entry.stamp }
    if (await writeIf(store, change, { key, ...stands }, decide)) return result
    await store.pause(Math.ceil(backoffMs(store.env, tries, PAUSE)))
  }
  const text = `other processes changed ${JSON.stringify(key)} over and over`
  throw new StorageError('OVERLOADED', text, { operation: 'write' })
}

/** False, and nothing has happened, when the condition does not hold. */
export async function writeIf(
  store: StrategicStorageManager,
  change: Change,
  condition: Condition,
  decide: Decider,
): Promise<boolean> {
  try {
    await store.write([change], { if: [condition], decide })
    return true
  } catch (error) {
    if (isStorageError(error, 'CONFLICT') && error.effect === 'none') return false
    throw error
  }
}

/*
 * What a database answers is looked at before it is believed: a row that something else has changed must
 * not become a raw error, an empty history or a message that nobody wrote. Values are not parsed here;
 * whoever decodes them finds those that are damaged.
 */
import type {
  FoundPage,
  ItemPage,
  KeyRead,
  KeyReads,
  LatestKey,
} from '../../backend/replica-backend.ts'
import { missingKey, neededKey } from '../../core/encryption/envelope.ts'
import { StorageError } from '../../core/errors.ts'
import type { Item } from '../../core/merge.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { isStamp } from '../../core/stamp.ts'

/** The error for what a place has and cannot be. `effect` is none: nothing but a read found it. */
export function damaged(what: string, key: string, place?: DatabasePlace): StorageError {
  const where = place === undefined ? '' : `the ${place}: `
  return new StorageError('CORRUPT', `${where}${what} of ${JSON.stringify(key)} is damaged`, {
    operation: 'read',
    ...(place !== undefined && { place }),
  })
}

export function checkItems(place: DatabasePlace, key: string, page: ItemPage): ItemPage {
  if (!Array.isArray(page.items)) throw damaged('a page', key, place)
  if (!isStampOrNone(page.deletedThrough)) throw damaged('the mark of a clear', key, place)
  for (const item of page.items) {
    if (!isSound(item)) throw damaged(`message ${JSON.stringify(item?.id ?? null)}`, key, place)
    refuseLocked(place, item.appended)
    refuseLocked(place, item.edited)
  }
  return page
}

export function checkFound(place: DatabasePlace, page: FoundPage): FoundPage {
  const { found, done, edge } = page
  const isSound =
    Array.isArray(found) &&
    isStampOrNone(edge) &&
    (done || edge !== undefined) &&
    found.every(isOfKey)
  if (!isSound) throw damaged('a page', 'a search', place)
  for (const { key, item } of found) {
    checkItems(place, key, { identity: page.identity, items: [item], done: true })
  }
  return page
}

function isOfKey(one: FoundPage['found'][number] | undefined): boolean {
  return typeof one?.key === 'string'
}

/** One answer for each key. */
export function checkRegisters(
  place: DatabasePlace,
  keys: readonly string[],
  reads: KeyReads['reads'],
): KeyReads['reads'] {
  const isWhole = Array.isArray(reads) && reads.length === keys.length
  if (!isWhole) throw damaged('the values', keys[0]!, place)
  return keys.map((key, i) => checkRegister(place, key, reads[i]!))
}

export function checkRegister<Read extends Omit<KeyRead, 'identity'>>(
  place: DatabasePlace,
  key: string,
  read: Read,
): Read {
  const { register, deletedThrough } = read
  const sound =
    register === undefined || (isStampText(register.stamp) && typeof register.value === 'string')
  if (!sound || !isStampOrNone(deletedThrough)) throw damaged('the value', key, place)
  refuseLocked(place, register?.value)
  return read
}

export function checkKeys(place: DatabasePlace, prefix: string, keys: readonly string[]): void {
  const sound = Array.isArray(keys) && keys.every((key) => isKey(key, prefix))
  if (!sound) throw damaged('the list of keys', prefix, place)
}

export function checkLatest(
  place: DatabasePlace,
  prefix: string,
  keys: readonly LatestKey[],
): void {
  const sound =
    Array.isArray(keys) &&
    keys.every((entry) => isKey(entry?.key, prefix) && isStampText(entry.latest))
  if (!sound) throw damaged('the list of keys', prefix, place)
}

export function checkCount(place: DatabasePlace, key: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0) throw damaged('the number of messages', key, place)
}

/**
 * A backup whose values are still encrypted here belongs to processes that have keys, and this one has
 * none: nothing of it is damaged. In the primary, which is plain, such a value is.
 *
 * @throws StorageError `UNAVAILABLE`, with the key that is needed.
 */
export function refuseLocked(place: DatabasePlace, value: string | undefined): void {
  const key = place === 'backup' && value !== undefined ? neededKey(value) : undefined
  if (key === undefined) return
  throw new StorageError('UNAVAILABLE', missingKey(key), { operation: 'read', place })
}

function isSound(item: Item | undefined): boolean {
  if (typeof item?.id !== 'string' || !isStampText(item.position)) return false
  if (!isStampOrNone(item.appendedAt) || !isStampOrNone(item.editedAt)) return false
  if (!isTextOrNone(item.appended) || !isTextOrNone(item.edited)) return false
  // A part has a stamp and a value, or neither.
  return (
    (item.appendedAt === undefined) === (item.appended === undefined) &&
    (item.editedAt === undefined) === (item.edited === undefined)
  )
}

function isKey(key: unknown, prefix: string): boolean {
  return typeof key === 'string' && key.startsWith(prefix)
}

function isStampText(value: unknown): boolean {
  return typeof value === 'string' && isStamp(value)
}

function isStampOrNone(value: unknown): boolean {
  return value === undefined || isStampText(value)
}

function isTextOrNone(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

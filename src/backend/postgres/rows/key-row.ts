import { digestOf } from '../../../core/digest.ts'
import { StorageError } from '../../../core/errors.ts'
import type { Stamp } from '../../../core/stamp.ts'

/** True when the clear of a key, or that there is none, is what was written. */
export function isClearWhole(key: string, through: Stamp | undefined, digest: unknown): boolean {
  if (through === undefined || digest === undefined)
    return through === undefined && digest === undefined
  return digestOf({ kind: 'delete', key, stamp: through }) === Number(digest)
}

/**
 * Nobody goes by a clear that somebody else has changed.
 *
 * @throws StorageError `CORRUPT`
 */
export function checkClear(key: string, through: Stamp | undefined, digest: unknown): void {
  if (!isClearWhole(key, through, digest)) throw damagedKey(key)
}

export function damagedKey(key: string): StorageError {
  return new StorageError('CORRUPT', `PostgreSQL: the row of ${JSON.stringify(key)} is damaged`)
}

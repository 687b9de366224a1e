/*
 * Stamps and ids as they are stored: 16 bytes, which sort as the text does.
 *
 * An item's identity is 16 bytes too. Of an id that is the text of a stamp, as made from the first
 * position, it is that stamp. Of any other id it is 0xFF and the first 15 bytes of the SHA-256 of
 * the id. No stamp before the year 10,000 begins with 0xFF, so the two kinds never meet and the
 * stamps of a list stand before all others.
 */
import { hash } from 'node:crypto'
import { StorageError } from '../../../core/errors.ts'
import { isStamp, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'

/** Identities of caller's ids start here. */
export const HASHED_ITEMS: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) =>
  i === 0 ? 0xff : 0,
)

export const STAMP_MIN_BYTES: Uint8Array = stampBytes(STAMP_MIN)

export function stampBytes(stamp: Stamp): Uint8Array {
  const hex =
    stamp.slice(0, 8) +
    stamp.slice(9, 13) +
    stamp.slice(14, 18) +
    stamp.slice(19, 23) +
    stamp.slice(24)
  return Buffer.from(hex, 'hex')
}

export function stampOf(bytes: Uint8Array): Stamp {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-') as Stamp
}

/** True when the identity says the whole id, so that its text is not stored. */
export function isOwnId(id: string): id is Stamp {
  return isStamp(id) && !id.startsWith('ff')
}

export function itemBytes(id: string): Uint8Array {
  if (isOwnId(id)) return stampBytes(id)
  const bytes = Buffer.allocUnsafe(16)
  bytes[0] = 0xff
  hash('sha256', id, 'buffer').copy(bytes, 1, 0, 15)
  return bytes
}

/** Refuses an id whose identity belongs to another one already: 2^60 hashes find such a pair. */
export function checkSameId(expected: string, stored: string): void {
  if (expected === stored) return
  throw new StorageError('REJECTED', `id ${expected} has the same hash as another id of its key`)
}

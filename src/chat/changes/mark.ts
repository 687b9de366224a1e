import { hash } from 'node:crypto'
import type { Item } from '../../core/merge.ts'
import { STAMP_MIN, type Stamp } from '../../core/stamp.ts'

/** Which state of a message a follower was told of. */
export interface Mark {
  readonly position: Stamp
  /** As in an item; `STAMP_MIN` where it was never edited. */
  readonly editedOf: Stamp
  readonly editedAt: Stamp
}

const HASH_DIGITS = 12
/** Sums of hashes are kept below it. */
const SUM_LIMIT = 2 ** 48
/** The digits of a stamp after its last hyphen. */
const TAIL_DIGITS = 12

export function markOf({ position, editedOf, editedAt }: Item): Mark {
  return { position, editedOf: editedOf ?? STAMP_MIN, editedAt: editedAt ?? STAMP_MIN }
}

/** True when the merge of both is not what was known: a place that lags never takes a change back. */
export function isNewer(mark: Mark, known: Mark): boolean {
  if (mark.position !== known.position) return mark.position > known.position
  if (mark.editedOf !== known.editedOf) return mark.editedOf > known.editedOf
  return mark.editedAt > known.editedAt
}

export function isSame(a: Mark, b: Mark): boolean {
  return a.position === b.position && a.editedOf === b.editedOf && a.editedAt === b.editedAt
}

/** 48 bits that name this state of this message. Neither ids nor stamps have a NUL. */
export function hashOf(id: string, { position, editedOf, editedAt }: Mark): number {
  const text = `${id}\0${position}\0${editedOf}\0${editedAt}`
  return Number.parseInt(hash('sha1', text, 'hex').slice(0, HASH_DIGITS), 16)
}

/** A sum that does not depend on the order. */
export function addSum(a: number, b: number): number {
  return (a + b) % SUM_LIMIT
}

/** A stamp right behind this one; undefined for the last one of its writer. */
export function behind(stamp: Stamp): Stamp | undefined {
  return moved(stamp, 1)
}

/** A stamp right before this one; undefined for the first one of its writer. */
export function ahead(stamp: Stamp): Stamp | undefined {
  return moved(stamp, -1)
}

function moved(stamp: Stamp, by: 1 | -1): Stamp | undefined {
  const at = stamp.length - TAIL_DIGITS
  const tail = Number.parseInt(stamp.slice(at), 16) + by
  if (tail < 0 || tail >= SUM_LIMIT) return undefined
  return `${stamp.slice(0, at)}${tail.toString(16).padStart(TAIL_DIGITS, '0')}` as Stamp
}

/*
 * Digests that two replicas compare instead of rows. Each register of an item, of a key and each
 * tombstone has one, an integer of 48 bits, of two parts:
 *
 *   name    28 bits of key, id, position and stamps: which operation it is. A bucket's digest is the sum
 *           of names, so it does not depend on order and a database can compute it
 *   check   20 bits of what is stored, the value with it. Only that database compares them with its own
 *           values, to find damage
 *
 * A stamp belongs to one content, so names are enough to compare databases by. And where values are
 * encrypted nothing is made of the plain ones: a name has only what stands beside it, and a check is that of
 * the encrypted text. Whoever has the database cannot try what a message might say.
 */
import { hash } from 'node:crypto'
import { digestInEnvelope } from './encryption/envelope.ts'
import type { EditOperation, Operation, RemoveOperation } from './operation.ts'
import type { Stamp } from './stamp.ts'

/** Positions from `from` (inclusive) to `to` (exclusive). */
export interface StampRange {
  readonly from: Stamp
  readonly to: Stamp
}

/**
 * Count and sum of the names in one range. The 28-bit names are summed in two halves of 14 bits, so
 * that half a trillion rows fit into exact integers everywhere.
 */
export interface BucketDigest extends StampRange {
  readonly count: number
  readonly low: number
  readonly high: number
}

/** Bits of the check, below those of the name. */
const CHECK_BITS = 20
const CHECKS = 2 ** CHECK_BITS
/** Bits of each half of the name. */
const HALF_BITS = 14

/** SQL: the halves of the name in a digest. With a cast, so that PostgreSQL takes no operator of another's. */
export function halvesSql(digest: string): { readonly low: string; readonly high: string } {
  return {
    low: `((${digest} >> ${CHECK_BITS}) & CAST(${2 ** HALF_BITS - 1} AS bigint))`,
    high: `(${digest} >> ${CHECK_BITS + HALF_BITS})`,
  }
}

/** Adds the name in a digest to a bucket. */
export function addDigest(
  bucket: { count: number; low: number; high: number },
  digest: number,
): void {
  const name = nameIn(digest)
  bucket.count++
  bucket.low += name % 2 ** HALF_BITS
  bucket.high += Math.floor(name / 2 ** HALF_BITS)
}

/** The name in a digest: two databases that have the same operation have the same one. */
export function nameIn(digest: number): number {
  return Math.floor(digest / CHECKS)
}

/** The digest of one operation, as stored beside its value. An integer below 2^48. */
export function digestOf(operation: Operation): number {
  return digestWith(operation, valueDigest(operation))
}

/** The same where the value is not at hand, but its `valueDigest` is. */
export function digestWith(operation: Operation, value: number): number {
  const placed = isPlaced(operation) ? placedDigest(value, operation.position) : value
  return renewedDigest(operation, placed)
}

/**
 * The digest of an operation out of the one that an earlier release stored, which was 48 bits of what the
 * check is made of: so its value is not needed, and one that was damaged still does not fit.
 */
export function renewedDigest(operation: Operation, stored: number): number {
  return nameOf(operation) * CHECKS + (stored % CHECKS)
}

/** A digest of the same name that what fits this one does not fit. */
export function unfitDigest(digest: number): number {
  return nameIn(digest) * CHECKS + ((digest + 1) % CHECKS)
}

/** What the check is made of, but for the position that an edit or a removal belongs to. */
export function valueDigest(operation: Operation): number {
  const known = 'value' in operation ? digestInEnvelope(operation.value) : undefined
  return known ?? digestOfText(canonical(operation))
}

/** The same with that position, out of the one without it, which was stored before positions counted. */
export function placedDigest(digest: number, position: Stamp): number {
  const other = digestOfText(position)
  const low = ((digest % QUARTER) ^ (other % QUARTER)) >>> 0
  const high = (Math.floor(digest / QUARTER) ^ Math.floor(other / QUARTER)) >>> 0
  return high * QUARTER + low
}

const QUARTER = 0x1000000

function digestOfText(text: string): number {
  return Number.parseInt(hash('sha1', text, 'hex').slice(0, 12), 16)
}

/** An edit or a removal: the position that it carries is another's. */
function isPlaced(operation: Operation): operation is EditOperation | RemoveOperation {
  return operation.kind === 'put' && operation.change !== 'append'
}

/** Neither keys nor ids have a NUL. */
function nameOf(operation: Operation): number {
  return Number.parseInt(hash('sha1', nameText(operation), 'hex').slice(0, 7), 16)
}

function nameText(operation: Operation): string {
  const { key, kind, stamp } = operation
  if (kind !== 'put') return `${kind === 'set' ? 's' : 'd'}\0${key}\0${stamp}`
  const { id, position, change } = operation
  const item = `${change[0]!}\0${key}\0${id}\0${position}`
  // The stamp of an append is its position, and that of a removal does not count.
  return change === 'edit' ? `${item}\0${stamp}` : item
}

/** Length prefixes keep the parts apart, whatever they contain. */
function canonical(operation: Operation): string {
  const head = `${operation.key.length}:${operation.key}`
  switch (operation.kind) {
    case 'delete':
      return `d${head}${operation.stamp}`
    case 'set':
      return `s${head}${operation.stamp}${operation.value}`
    case 'put': {
      const body = `${head}${operation.id.length}:${operation.id}`
      if (operation.change === 'remove') return `r${body}`
      return operation.change === 'append'
        ? `a${body}${operation.position}${operation.value}`
        : `e${body}${operation.stamp}${operation.value}`
    }
  }
}

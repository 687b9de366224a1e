/*
 * Digests that two replicas compare instead of rows. Each register of an item, of a key and each
 * tombstone has a 48-bit digest; a bucket's digest is their sum, so it does not depend on order and
 * a database can compute it. A writer stores the digest beside the value: comparing stored digests
 * is cheap, computing them again from the values finds damage.
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
 * Count and sum of the digests in one range. The 48-bit digests are summed in two halves of 24
 * bits, so that half a billion rows fit into exact integers everywhere.
 */
export interface BucketDigest extends StampRange {
  readonly count: number
  readonly low: number
  readonly high: number
}

export const DIGEST_BITS = 48

/** The digest of one operation, as stored beside its value. An integer below 2^48. */
export function digestOf(operation: Operation): number {
  return digestWith(operation, valueDigest(operation))
}

/** The same where the value is not at hand, but its `valueDigest` is. */
export function digestWith(operation: Operation, value: number): number {
  return isPlaced(operation) ? placedDigest(value, operation.position) : value
}

/**
 * The digest without the position that an edit or a removal belongs to. An encrypted value carries
 * it, so that databases compare the plain ones.
 */
export function valueDigest(operation: Operation): number {
  const known = 'value' in operation ? digestInEnvelope(operation.value) : undefined
  return known ?? digestOfText(canonical(operation))
}

/**
 * The digest of an edit or a removal out of the one without its position, which is what was stored
 * before positions counted: databases of that time are brought up to date without their values.
 */
export function placedDigest(digest: number, position: Stamp): number {
  const other = digestOfText(position)
  const low = ((digest % HALF) ^ (other % HALF)) >>> 0
  const high = (Math.floor(digest / HALF) ^ Math.floor(other / HALF)) >>> 0
  return high * HALF + low
}

const HALF = 0x1000000

function digestOfText(text: string): number {
  return Number.parseInt(hash('sha1', text, 'hex').slice(0, 12), 16)
}

/** An edit or a removal: the position that it carries is another's. */
function isPlaced(operation: Operation): operation is EditOperation | RemoveOperation {
  return operation.kind === 'put' && operation.change !== 'append'
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

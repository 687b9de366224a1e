/*
 * Digests that two replicas compare instead of rows. Each register of an item, of a key and each
 * tombstone has a 48-bit digest; a bucket's digest is their sum, so it does not depend on order and
 * a database can compute it. A writer stores the digest beside the value: comparing stored digests
 * is cheap, computing them again from the values finds damage.
 */
import { hash } from 'node:crypto'
import { digestInEnvelope } from './encryption/envelope.ts'
import { operationsOfItem, type Item } from './merge.ts'
import type { Operation } from './operation.ts'
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
  // An encrypted value, which no JSON text looks like, carries the digest of the plain one.
  const known = 'value' in operation ? digestInEnvelope(operation.value) : undefined
  if (known !== undefined) return known
  return Number.parseInt(hash('sha1', canonical(operation), 'hex').slice(0, 12), 16)
}

/** The digest of an item: the sum over its registers, as `operationsOfItem` lists them. */
export function itemDigest(key: string, item: Item): number {
  let sum = 0
  for (const operation of operationsOfItem(key, item)) sum += digestOf(operation)
  return sum
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
      // A removal is the same whatever position its remover had read.
      if (operation.change === 'remove') return `r${body}`
      return operation.change === 'append'
        ? `a${body}${operation.position}${operation.value}`
        : `e${body}${operation.stamp}${operation.value}`
    }
  }
}

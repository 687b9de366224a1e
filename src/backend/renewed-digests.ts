/*
 * Digests of earlier releases, which were made of values whole, also of encrypted ones: as today's are. That
 * of a plain value is without reading it, so that what was damaged still does not fit. An encrypted
 * value is read, and loses the digest that it carries.
 */
import { digestOf, renewedDigest } from '../core/digest.ts'
import { renewedEnvelope } from '../core/encryption/envelope.ts'
import type { JsonText } from '../core/json.ts'
import { operationsOfItem, type Item } from '../core/merge.ts'
import type { Operation, PutOperation } from '../core/operation.ts'

export interface Renewed {
  readonly digest: number
  /** Of an encrypted value. */
  readonly value?: JsonText
}

/** SQL: the value if it is encrypted; empty for a plain one that is, or was, there. */
export function earlierValueSql(value: string, digest: string): string {
  return `CASE WHEN ${value} LIKE 'et1.%' THEN ${value} WHEN ${digest} IS NOT NULL THEN '' END`
}

/** A plain value may be left empty. */
export function renewed(operation: Operation, stored: number): Renewed {
  if ('value' in operation) {
    const value = renewedEnvelope(operation.value)
    if (value !== operation.value) return { digest: digestOf({ ...operation, value }), value }
  }
  return { digest: renewedDigest(operation, stored) }
}

/** The same of the parts of an item that have a digest. */
export function renewedParts(
  key: string,
  item: Item,
  stored: Readonly<Record<PutOperation['change'], number | null>>,
): Partial<Record<PutOperation['change'], Renewed>> {
  const parts: Partial<Record<PutOperation['change'], Renewed>> = {}
  for (const operation of operationsOfItem(key, item)) {
    const digest = stored[operation.change]
    if (digest !== null) parts[operation.change] = renewed(operation, digest)
  }
  return parts
}

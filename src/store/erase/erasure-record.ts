/*
 * An erase as it is kept: a register in both databases like any other value, so it is as durable, and
 * as well replicated, as a message. Every process that opens the store reads the records and takes its
 * part: its own log, its own memory.
 */
import { isoTime } from '../../core/iso-time.ts'
import { decodeJson, encodeJson, isJson } from '../../core/json.ts'
import type { Register } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import {
  ERASE_STAGES,
  type EraseReceipt,
  type EraseStage,
  type ErasedPlace,
} from './erase-receipt.ts'

/** Keys that begin with this are the store's own. */
export const ERASURE_PREFIX = 'everthread/erasures/'

/** `key`: one key. `prefix`: every key that begins with the target. */
export type EraseScope = 'key' | 'prefix'

export interface SignOff {
  /** Unix milliseconds. */
  readonly atMs: number
  readonly remains: readonly string[]
}

export interface ErasureRecord {
  readonly id: string
  readonly scope: EraseScope
  readonly target: string
  /** More targets, which are erased with it. */
  readonly also: readonly string[]
  /** Unix milliseconds. */
  readonly requestedAtMs: number
  /** Payloads with stamps up to this one are to go. */
  readonly through: Stamp
  /** Every key has its tombstone, in some place at least. */
  readonly cleared: boolean
  readonly signed: Readonly<Partial<Record<EraseStage, SignOff>>>
  readonly completedAtMs?: number
}

/** As it is stored: the first write cannot name its own stamp. */
type Stored = Omit<ErasureRecord, 'id' | 'through' | 'also'> &
  Partial<Pick<ErasureRecord, 'through' | 'also'>>

/** An item that goes from its list with what is erased. */
export interface LeftItem {
  readonly key: string
  readonly id: string
}

/** All that an erase is about. */
export function targetsOf({ target, also }: ErasureRecord): readonly string[] {
  return [target, ...also]
}

export function erasureKey(id: string): string {
  return ERASURE_PREFIX + id
}

/** The operation that stores the record. */
export function recordOperation(
  id: string,
  stored: Stored,
  stamp: Stamp,
): Operation & { readonly kind: 'set' } {
  return { kind: 'set', key: erasureKey(id), value: encodeJson(stored), stamp }
}

/** Undefined for a value that is damaged, none of ours, or of a later version. */
export function parseRecord(key: string, { value, stamp }: Register): ErasureRecord | undefined {
  if (!isJson(value)) return undefined
  const stored = decodeJson<Partial<Stored> | null>(value) ?? {}
  const { scope, target, requestedAtMs, cleared, signed } = stored
  if ((scope !== 'key' && scope !== 'prefix') || typeof target !== 'string') return undefined
  return {
    id: key.slice(ERASURE_PREFIX.length),
    scope,
    target,
    // Those of earlier releases have none.
    also: Array.isArray(stored.also) ? stored.also : [],
    requestedAtMs: requestedAtMs ?? 0,
    through: stored.through ?? stamp,
    cleared: cleared === true,
    signed: signed ?? {},
    ...(stored.completedAtMs !== undefined && { completedAtMs: stored.completedAtMs }),
  }
}

export function receiptOf(
  { id, requestedAtMs, completedAtMs, signed }: ErasureRecord,
  reasons: ReadonlyMap<EraseStage, readonly string[]> = new Map(),
): EraseReceipt {
  const place = (stage: EraseStage): ErasedPlace => {
    const sign = signed[stage]
    if (sign === undefined) {
      const pending = reasons.get(stage) ?? ['not done yet']
      return { state: 'pending', pending, remains: [] }
    }
    return { state: 'erased', erasedAt: isoTime(sign.atMs), pending: [], remains: sign.remains }
  }
  return {
    id,
    requestedAt: isoTime(requestedAtMs),
    ...(completedAtMs !== undefined && { completedAt: isoTime(completedAtMs) }),
    complete: ERASE_STAGES.every((stage) => signed[stage] !== undefined),
    places: {
      primary: place('primary'),
      backup: place('backup'),
      wal: place('wal'),
      cache: place('cache'),
    },
  }
}

/*
 * A version of a key: everything about it in one immutable object, of which the newest counts.
 *
 * The state of the key is that of its base, an index of what stands in segments, merged with the
 * tail, which has what changed since with its values. Version n + 1 is made on top of version n by
 * creating its name where there is none: of two processes one succeeds, and the other one reads and
 * judges again. So the versions of a key are one line, however many processes write it.
 */
import { messageOf } from '../../../core/errors.ts'
import type { Operation } from '../../../core/operation.ts'
import { damaged, decodeObject, encodeObject } from './object-format.ts'
import { decodeOperation, encodeOperation, type StoredOperation } from './operation-codec.ts'
import type { KeySummary } from './summary.ts'

export interface Segment {
  /** The last part of its name. */
  readonly name: string
  /** Operations in it. */
  readonly count: number
  readonly bytes: number
}

export interface Version {
  readonly key: string
  readonly number: number
  /** The last part of the index's name. */
  readonly base?: string
  readonly segments: readonly Segment[]
  readonly tail: readonly Operation[]
  readonly summary: KeySummary
  /** Last parts of names that this version made superfluous: to be removed by whoever sees them. */
  readonly garbage: readonly string[]
  /** Earlier versions hold what this one erased: to be overwritten by whoever sees it. */
  readonly erases: boolean
  /**
   * An earlier release wrote it: its encrypted values carry digests of the plain ones. The next version
   * has them without, and erases it. Never stored.
   */
  readonly isEarlier?: true
}

interface StoredVersion {
  readonly key: string
  readonly number: number
  /** Nobody else writes the same: a writer recognizes its own version by it. */
  readonly nonce: string
  readonly base?: string
  readonly segments: readonly (readonly [string, number, number])[]
  readonly tail: readonly StoredOperation[]
  readonly summary: KeySummary
  readonly garbage: readonly string[]
  readonly erases: boolean
}

/** What is written over a superseded version that held what was erased. Its name stays taken. */
export const ERASED: Buffer = Buffer.from('everthread-s3 1 erased\n')

export function encodeVersion(version: Version, nonce: string): Buffer {
  const stored: StoredVersion = {
    ...version,
    nonce,
    segments: version.segments.map(({ name, count, bytes }) => [name, count, bytes]),
    tail: version.tail.map(encodeOperation),
  }
  return encodeObject('version', stored)
}

/** The version in an object; undefined when it was erased because a newer one stands. */
export function decodeVersion(name: string, bytes: Buffer): Version | undefined {
  if (bytes.equals(ERASED)) return undefined
  const stored = decodeObject('version', name, bytes) as StoredVersion
  return {
    key: stored.key,
    number: stored.number,
    ...(stored.base !== undefined && { base: stored.base }),
    segments: stored.segments.map(([segment, count, size]) => ({
      name: segment,
      count,
      bytes: size,
    })),
    tail: decodeOperations(name, stored.key, stored.tail),
    summary: stored.summary,
    garbage: stored.garbage,
    erases: stored.erases,
  }
}

/** The content of a segment, an index or one key's part of a journal. */
export interface StoredOperations {
  readonly key: string
  readonly operations: readonly StoredOperation[]
}

export function encodeOperations(key: string, operations: readonly Operation[]): StoredOperations {
  return { key, operations: operations.map(encodeOperation) }
}

export function decodeOperations(
  name: string,
  key: string,
  operations: readonly StoredOperation[],
): Operation[] {
  try {
    return operations.map((operation) => decodeOperation(key, operation))
  } catch (error) {
    throw damaged(name, messageOf(error))
  }
}

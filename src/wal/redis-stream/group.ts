import { groupBy } from '../../core/group-by.ts'
import { parseJson } from '../../core/json.ts'
import type { Operation } from '../../core/operation.ts'
import { operationBytes } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import { partitionOf } from './layout.ts'

/** Least and greatest stamp of a key's operations in a group. */
export interface KeyStamps {
  readonly key: string
  readonly least: Stamp
  readonly greatest: Stamp
}

/** A group as the log's scripts see it. */
export interface Group {
  /** Names the group: a repeat of the same stamps is the same group. */
  readonly name: string
  /** The partition that has the entry: that of its first key. */
  readonly home: number
  /** Keys by partition; each once. */
  readonly keys: ReadonlyMap<number, readonly KeyStamps[]>
  readonly head: Stamp
  readonly bytes: number
}

/** Splits a group by partition. */
export function groupOf(operations: readonly Operation[], partitions: number): Group {
  const stamps = new Map<string, { readonly key: string; least: Stamp; greatest: Stamp }>()
  let head = operations[0]!.stamp
  let least = head
  let bytes = 0
  for (const operation of operations) {
    const { key, stamp } = operation
    bytes += operationBytes(operation)
    if (stamp > head) head = stamp
    if (stamp < least) least = stamp
    const known = stamps.get(key)
    if (known === undefined) stamps.set(key, { key, least: stamp, greatest: stamp })
    else {
      if (stamp < known.least) known.least = stamp
      if (stamp > known.greatest) known.greatest = stamp
    }
  }
  const keys = groupBy(stamps.values(), ({ key }) => partitionOf(key, partitions))
  const home = partitionOf(operations[0]!.key, partitions)
  // Stamps are given out once, to one group: two of its stamps and their number name it.
  const name = `${least}${operations.length === 1 ? '' : `.${head.slice(0, 18)}.${operations.length}`}`
  return { name, home, keys, head, bytes }
}

export function encodeOperations(operations: readonly Operation[]): string {
  return JSON.stringify(operations)
}

export function decodeOperations(text: string): readonly Operation[] {
  return parseJson(text) as readonly Operation[]
}

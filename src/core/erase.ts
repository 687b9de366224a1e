import type { Operation } from './operation.ts'
import type { Stamp } from './stamp.ts'

/** Up to which stamp the payloads of a key are to go; undefined: nothing of it is. */
export type ThroughOf = (key: string) => Stamp | undefined

/** True when the operation carries a payload that is to go: the clear before the erase has cut it. */
export function isErased(operation: Operation, throughOf: ThroughOf): boolean {
  if (!('value' in operation)) return false
  const through = throughOf(operation.key)
  const at = operation.kind === 'put' ? operation.position : operation.stamp
  return through !== undefined && at <= through
}

/**
 * The operations with a `delete` up to the same stamp in place of each that is to go, or undefined
 * when none is. Whoever applies them ends in the state that the clear before the erase leaves, so a
 * log may hold the one for the other.
 */
export function withoutErased(
  operations: readonly Operation[],
  throughOf: ThroughOf,
): readonly Operation[] | undefined {
  if (!operations.some((operation) => isErased(operation, throughOf))) return undefined
  return operations.map((operation) => {
    if (!isErased(operation, throughOf)) return operation
    return { kind: 'delete', key: operation.key, stamp: throughOf(operation.key)! }
  })
}

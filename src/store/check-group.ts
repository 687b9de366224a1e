import { invalid } from '../core/errors.ts'
import { GROUP_BYTES_MAX, GROUP_OPERATIONS_MAX, GROUP_REMOVALS_MAX } from '../core/limits.ts'
import { operationBytes, type Operation } from '../core/operation.ts'

/**
 * Refuses a group that is empty or larger than an engine takes at once. Of removals,
 * which are small, it takes more.
 */
export function checkGroup(operations: readonly Operation[]): void {
  if (operations.length === 0) throw invalid('a group must have at least one entry')
  const removals = operations.filter(isRemoval).length
  checkCount(operations.length - removals, GROUP_OPERATIONS_MAX, 'entries')
  checkCount(removals, GROUP_REMOVALS_MAX, 'removals')
  const bytes = operations.reduce((sum, operation) => sum + operationBytes(operation), 0)
  checkCount(bytes, GROUP_BYTES_MAX, 'bytes')
}

function checkCount(count: number, max: number, what: string): void {
  if (count > max) throw invalid(`a group must have at most ${max} ${what}, got ${count}`)
}

function isRemoval(operation: Operation): boolean {
  return operation.kind === 'put' && operation.change === 'remove'
}

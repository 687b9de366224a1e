import { invalid } from '../core/errors.ts'
import { GROUP_BYTES_MAX, GROUP_OPERATIONS_MAX } from '../core/limits.ts'
import { operationBytes, type Operation } from '../core/operation.ts'

/** Refuses a group that is empty or larger than an engine takes at once. */
export function checkGroup(operations: readonly Operation[]): void {
  if (operations.length === 0) throw invalid('a group must have at least one entry')
  if (operations.length > GROUP_OPERATIONS_MAX) {
    throw invalid(
      `a group must have at most ${GROUP_OPERATIONS_MAX} entries, got ${operations.length}`,
    )
  }
  const bytes = operations.reduce((sum, operation) => sum + operationBytes(operation), 0)
  if (bytes > GROUP_BYTES_MAX) {
    throw invalid(`a group must have at most ${GROUP_BYTES_MAX} bytes, got ${bytes}`)
  }
}

import { showCondition, type Condition, type FailedCondition } from '../../core/conditions.ts'
import { StorageError, type Effect } from '../../core/errors.ts'

/** A `CONFLICT` that says which condition did not hold. For callers it is a `StorageError`. */
export class ConditionFailed extends StorageError {
  readonly failed: FailedCondition

  constructor(condition: Condition, failed: FailedCondition, effect: Effect) {
    const { index, stands } = failed
    const found = stands === undefined ? 'nothing stands' : `${stands} stands`
    const text = `if[${index}] does not hold (${showCondition(condition)}): ${found}`
    super('CONFLICT', text, { effect, operation: 'write' })
    this.failed = failed
  }
}

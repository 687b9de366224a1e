import type { FailedCondition } from '../../core/conditions.ts'
import type { Verdict } from '../../core/decide.ts'
import type { Effect, StorageError } from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import type { PlaceName } from '../../core/places.ts'

/** How one attempt to write a group ended. */
export type AttemptResult =
  | {
      readonly kind: 'acknowledged'
      readonly operations: readonly Operation[]
      readonly copies: readonly PlaceName[]
    }
  | {
      readonly kind: 'refused'
      /** What was refused, an answer each: the group, or more where something stood for a part of it. */
      readonly sent: readonly Operation[]
      readonly applied: readonly Verdict[]
      /** Set when a condition did not hold: then nothing else was judged. */
      readonly failed?: FailedCondition
      /** What is known about the effect at the places that did not refuse it. */
      readonly effect: Effect
    }
  | { readonly kind: 'failed'; readonly error: StorageError }

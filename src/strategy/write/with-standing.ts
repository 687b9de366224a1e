import type { Applied } from '../../core/decide.ts'
import { operationsOfItem } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'

/** The group with what stands in place of repeats; `andOwn`: and what was sent as well. */
export function withStanding(
  sent: readonly Operation[],
  applied: readonly Applied[],
  andOwn: boolean,
): readonly Operation[] {
  return sent.flatMap((operation, i): readonly Operation[] => {
    const answer = applied[i]
    if (answer?.outcome !== 'stands') return [operation]
    const standing = operationsOfItem(operation.key, answer.item)
    return andOwn ? [operation, ...standing] : standing
  })
}

import type { Applied } from '../../core/decide.ts'
import type { Operation } from '../../core/operation.ts'
import type { WriteGroup } from './write-strategy.ts'

/** True when the place has an id of the group, but not where it was put by this attempt. */
export function standsElsewhere(sent: readonly Operation[], applied: readonly Applied[]): boolean {
  return applied.some((answer, i) => {
    const operation = sent[i]
    if (answer.outcome !== 'stands' || operation?.kind !== 'put') return false
    return answer.item.position !== operation.position
  })
}

/** True when the place took an operation of the group as it is, not what stands in its place. */
export function tookOwn(
  { operations }: WriteGroup,
  sent: readonly Operation[],
  applied: readonly Applied[],
): boolean {
  return sent.some((operation, i) => {
    return applied[i]?.outcome === 'applied' && operations.includes(operation)
  })
}

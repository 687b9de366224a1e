import type { Verdict } from '../../core/decide.ts'
import { isRemoved, operationsOfItem, type Item } from '../../core/merge.ts'
import type { AppendOperation, Operation } from '../../core/operation.ts'

/** What an answer says about repeats of callers' ids. */
export interface RepeatAnswer {
  /** What goes to the places that have yet to get the group; undefined when none was a repeat. */
  readonly operations: readonly Operation[] | undefined
  /** The place has one elsewhere than another place that took it from this attempt. */
  readonly isSplit: boolean
  /** The place took these, which stand elsewhere in another one: that one gets them as well. */
  readonly spread: readonly Operation[]
}

const NO_REPEATS: RepeatAnswer = { operations: undefined, isSplit: false, spread: [] }

/**
 * The ids of a group that stand already. One that stands keeps its place: it goes on as it stands,
 * and the others of the group as they are. Only an id that one place has from this attempt and another
 * one from before gets both positions everywhere; the greater counts.
 */
export class Repeats {
  readonly #group: readonly Operation[]
  readonly #earlier: readonly Operation[]
  /** Operations of the group that some place has as they are. */
  readonly #own = new Set<Operation>()
  /** Operations that stand already in some place. */
  readonly #stands = new Set<Operation>()
  /** As they stand in the place that said so. */
  readonly #repeated = new Set<AppendOperation>()

  /**
   * @param group The operations with callers' ids: none where the ids are this writer's own.
   * @param earlier Those that stand since an earlier call.
   */
  constructor(group: readonly Operation[], earlier: readonly Operation[] = []) {
    this.#group = group
    this.#earlier = earlier
    // Some place has them where they say: one that has them elsewhere gets that too.
    for (const operation of earlier) this.#noteOwn(operation)
  }

  /**
   * A place takes what was removed since for done; for a call that began after that the id is taken.
   * One that merged what stands in another place may have cleared it: then it stands no more. Or it
   * may have it `removed`, by the id.
   */
  judged(
    sent: readonly Operation[],
    applied: readonly Verdict[],
    removed: ReadonlyMap<string, Item>,
  ): readonly Verdict[] {
    if (this.#group.length === 0) return applied
    return applied.map((answer, i) => {
      const operation = sent[i]!
      const item = operation.kind === 'put' ? removed.get(operation.id) : undefined
      if (item !== undefined) return { ...answer, outcome: 'conflict', item }
      if (answer.outcome === 'applied') return clearedSince(operation, answer)
      const isTaken =
        answer.outcome === 'stands' && isRemoved(answer.item) && this.#earlier.includes(operation)
      return isTaken ? { ...answer, outcome: 'conflict' } : answer
    })
  }

  /** True when some place said what stands already: those stamps are not given out anew. */
  get isAny(): boolean {
    return this.#stands.size > 0
  }

  /** Those of them that stand in another place already, and were not removed there. */
  among(operations: readonly Operation[]): readonly AppendOperation[] {
    return [...this.#repeated].filter((each) => operations.includes(each))
  }

  /** The log is given these. */
  logged(operations: readonly Operation[]): void {
    if (this.#group.length === 0) return
    for (const operation of operations) this.#noteOwn(operation)
  }

  /** A place has merged or judged what was sent, and refused nothing. */
  answered(sent: readonly Operation[], applied: readonly Verdict[]): RepeatAnswer {
    if (this.#group.length === 0) return NO_REPEATS
    const took = sent.filter((_, i) => applied[i]?.outcome === 'applied')
    const spread = took.filter((each) => this.#stands.has(each) && this.#group.includes(each))
    for (const operation of took) this.#noteOwn(operation)
    const isSplit = this.isSplit(sent, applied)
    const operations = sent.flatMap((operation, i): readonly Operation[] => {
      const answer = applied[i]
      if (answer?.outcome !== 'stands') return [operation]
      this.#stands.add(operation)
      const existing = operationsOfItem(operation.key, answer.item)
      if (!isRemoved(answer.item)) this.#noteRepeated(existing)
      return this.#own.has(operation) ? [operation, ...existing] : existing
    })
    const hasRepeats = applied.some(({ outcome }) => outcome === 'stands')
    return { operations: hasRepeats ? operations : undefined, isSplit, spread }
  }

  /** The place has one elsewhere than another place that took it from this attempt. */
  isSplit(sent: readonly Operation[], applied: readonly Verdict[]): boolean {
    return standsElsewhere(sent, applied).some((each) => this.#own.has(each))
  }

  #noteRepeated(existing: readonly Operation[]): void {
    for (const each of existing) {
      if (each.kind === 'put' && each.change === 'append') this.#repeated.add(each)
    }
  }

  #noteOwn(operation: Operation): void {
    if (this.#group.includes(operation)) this.#own.add(operation)
  }
}

function clearedSince(operation: Operation, answer: Verdict): Verdict {
  const { deletedThrough } = answer
  if (operation.kind !== 'put' || operation.change !== 'append') return answer
  if (deletedThrough === undefined || operation.position > deletedThrough) return answer
  return { outcome: 'behind', stamp: deletedThrough, deletedThrough }
}

/** The operations that the place has an id of, but not where they were to put it. */
export function standsElsewhere(
  sent: readonly Operation[],
  applied: readonly Verdict[],
): readonly Operation[] {
  return sent.filter((operation, i) => {
    const answer = applied[i]
    if (answer?.outcome !== 'stands' || operation.kind !== 'put') return false
    return answer.item.position !== operation.position
  })
}

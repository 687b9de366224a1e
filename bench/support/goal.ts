/** A goal with what a run reached. `docs/performance.md` says why each is what it is. */
export interface Goal {
  /** Number or name in the table of goals. A goal with parts, such as two concurrencies, has a row for each. */
  readonly number: number | string
  readonly measure: string
  readonly atLeast?: number
  readonly atMost?: number
  readonly value: number
  readonly unit?: string
  /** Why it does not hold, or what else a reader must know. */
  readonly note?: string
}

export function holds({ atLeast, atMost, value }: Goal): boolean {
  return (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost)
}

/** The goal with the reason why it does not hold, unless it does. */
export function explained(goal: Goal, note: string): Goal {
  return holds(goal) ? goal : { ...goal, note }
}

/** A part of a whole, 0 to 1, as it stands in notes. */
export function percent(part = 0): string {
  return `${Math.round(100 * part)} %`
}

/** `≥ 2.5` or `≤ 3 ms`. */
export function bound({ atLeast, atMost, unit = '' }: Goal): string {
  const suffix = unit === '' ? '' : ` ${unit}`
  return atLeast === undefined ? `≤ ${atMost}${suffix}` : `≥ ${atLeast}${suffix}`
}

export function printGoals(goals: readonly Goal[]): void {
  if (goals.length === 0) return
  console.log('\ngoal\tmeasure\twanted\treached\tholds')
  for (const goal of [...goals].sort(byNumber)) {
    const unit = goal.unit === undefined ? '' : ` ${goal.unit}`
    const reached = `${shown(goal.value)}${unit}`
    const note = goal.note === undefined ? '' : `\t${goal.note}`
    const cells = [goal.number, goal.measure, bound(goal), reached, holds(goal) ? 'yes' : 'NO']
    console.log(`${cells.join('\t')}${note}`)
  }
}

/** Names after numbers. */
function byNumber(a: Goal, b: Goal): number {
  return String(a.number).localeCompare(String(b.number), 'en', { numeric: true })
}

function shown(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : value.toFixed(2)
}

/*
 * Indexes and whatever else an engine keeps of its own so that reads and comparisons are quick. Digests say
 * nothing of them: a database could have every row, and show none.
 */
import type { DamagedPart } from '../backend/replica-backend.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/operation.ts'
import { DAMAGED_ROWS_MAX, type Tally } from './reconcile-report.ts'
import type { Work } from './rows.ts'

/** Time of one step of looking and mending. */
const STEP_TIMEOUT_MS = 10_000

export interface PartsOptions {
  /** Places whose parts are made anew. */
  readonly mend: readonly DatabasePlace[]
  readonly signal?: AbortSignal | undefined
}

/** Looks whether each database has all that it goes by, and notes in the tally what has lost something. */
export async function checkParts(
  { context, tally, pacer }: Work,
  { mend, signal }: PartsOptions,
): Promise<void> {
  for (const place of DATABASE_PLACES) {
    pacer.check()
    const found: DamagedPart[] = []
    let count = 0
    for await (const part of context.places[place].checkParts(STEP_TIMEOUT_MS, signal)) {
      count++
      if (found.length < DAMAGED_ROWS_MAX) found.push(part)
    }
    if (count === 0) continue
    const repaired = mend.includes(place)
    if (repaired) await context.places[place].mendParts(STEP_TIMEOUT_MS, signal)
    note(tally, place, found, count, repaired)
  }
}

function note(
  tally: Tally,
  place: DatabasePlace,
  found: readonly DamagedPart[],
  count: number,
  repaired: boolean,
): void {
  for (const { name, key = '' } of found) {
    tally.addDamaged({ place, key, name, part: 'index', repaired })
  }
  const more = count - found.length
  tally.damaged += more
  if (repaired) tally.repaired += more
}

/*
 * Indexes and whatever else an engine keeps of its own so that reads and comparisons are quick. Digests say
 * nothing of them: a database could have every row, and show none.
 */
import type { DamagedPart } from '../backend/replica-backend.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { DAMAGED_ROWS_MAX } from './reconcile-report.ts'
import type { Work } from './rows.ts'

/** Time of one step of looking and mending. */
const STEP_TIMEOUT_MS = 10_000

export interface PartsOptions {
  /** Places whose parts are made anew. */
  readonly mend: readonly DatabasePlace[]
  readonly signal?: AbortSignal | undefined
}

/** Looks whether each database has all that it goes by, and notes in the tally what has lost something. */
export async function checkParts(work: Work, { mend, signal }: PartsOptions): Promise<void> {
  for (const place of DATABASE_PLACES) {
    work.pacer.check()
    const { parts, more } = await damagedParts(work, place, signal)
    if (parts.length === 0) continue
    const isMended = mend.includes(place)
    if (isMended) await work.context.places[place].mendParts(STEP_TIMEOUT_MS, signal)
    const left = isMended ? await damagedParts(work, place, signal) : undefined
    for (const { name, key = '' } of parts) {
      const repaired = left !== undefined && !left.parts.some((part) => part.name === name)
      work.tally.addDamaged({ place, key, name, part: 'index', repaired })
    }
    work.tally.damaged += more
    work.tally.repaired += Math.max(0, more - (left?.more ?? more))
  }
}

/** As many as a report names, and how many more there are. */
async function damagedParts(
  { context }: Work,
  place: DatabasePlace,
  signal: AbortSignal | undefined,
): Promise<{ readonly parts: readonly DamagedPart[]; readonly more: number }> {
  const parts: DamagedPart[] = []
  let more = 0
  for await (const part of context.places[place].checkParts(STEP_TIMEOUT_MS, signal)) {
    if (parts.length < DAMAGED_ROWS_MAX) parts.push(part)
    else more++
  }
  return { parts, more }
}

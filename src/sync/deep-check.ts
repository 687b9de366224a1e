/*
 * Looks at every value of both databases: does it still fit the digest that was stored with it? One
 * that does not was changed by something else than us. The intact value of the other database can
 * be written over it.
 */
import type { StoredOperation } from '../backend/replica-backend.ts'
import type { StampRange } from '../core/digest.ts'
import { rangeStamp, type Operation } from '../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { damagedRow, isDamaged, momentOf, readRows, subjectOf, type Work } from './rows.ts'

const REPAIR_TIMEOUT_MS = 30_000

export interface DeepCheckOptions {
  /** Mends what it finds, where the other database has an intact value. */
  readonly repair: boolean
}

export async function deepCheck(
  work: Work,
  range: StampRange,
  { repair }: DeepCheckOptions,
): Promise<void> {
  for (const place of DATABASE_PLACES) {
    for await (const stored of readRows(work, place, range)) {
      if (place === 'primary') work.tally.compared++
      if (!isDamaged(stored)) continue
      // Looked at again: it may have been changed while it was read.
      const again = await find(work, place, stored.operation)
      if (again === undefined || !isDamaged(again)) continue
      const repaired = repair && (await mend(work, place, again.operation))
      work.tally.addDamaged(damagedRow(place, again.operation, repaired))
    }
  }
}

/** The operation of the same subject and place as it is stored now. */
async function find(
  work: Work,
  place: DatabasePlace,
  wanted: Operation,
): Promise<StoredOperation | undefined> {
  const subject = subjectOf(wanted)
  for await (const stored of readRows(work, place, momentOf(wanted))) {
    const { operation } = stored
    if (subjectOf(operation) === subject && rangeStamp(operation) === rangeStamp(wanted))
      return stored
  }
  return undefined
}

/** True when the other database had an intact value and it has been written. */
async function mend(work: Work, place: DatabasePlace, damaged: Operation): Promise<boolean> {
  const other = place === 'primary' ? 'backup' : 'primary'
  const intact = await find(work, other, damaged)
  if (intact === undefined || isDamaged(intact)) return false
  const { context, tally } = work
  const { operation } = intact
  const written = await context.places[place].longCall(
    'repair',
    REPAIR_TIMEOUT_MS,
    async (backend, options) => {
      const count = (await backend.repair?.([operation], options)) ?? 0
      // A record that could not be read at all is written anew, and needs its other parts too.
      await backend.apply([operation], options)
      return count
    },
  )
  if (written === 0) return false
  tally.bytesWritten += 'value' in operation ? operation.value.length : 0
  await context.cache?.changed([operation.key])
  return true
}

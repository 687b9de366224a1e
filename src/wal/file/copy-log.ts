import type { Env } from '../../core/env.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { HELD, QUARANTINED, type EntryState } from '../entry-table.ts'
import type { Lsn, WalEntry } from '../wal.ts'
import { decodeGroup } from './codec.ts'
import { loadEntries } from './load-entries.ts'
import type { OpenLog } from './open-log.ts'
import type { RecoveredLog } from './recovery.ts'
import { Segments } from './segments.ts'

/** Most entries and bytes that are copied at once. */
const BATCH_ENTRIES = 256
const BATCH_BYTES = 4 * 1024 * 1024

type States = Readonly<Record<DatabasePlace, EntryState>>

/** Copies what some place lacks of a recovered log. Resolves when all of it is durable. */
export async function copyLog(
  env: Env,
  path: string,
  source: RecoveredLog,
  target: OpenLog,
): Promise<void> {
  const { index, letters, generation } = source
  const unused = { writer: '', salt: 0, segmentBytes: 0, sync: true }
  const segments = new Segments({ env, directory: path, generation, ...unused }, source.segments)
  for (const lsns of batches(source)) {
    const entries = await loadEntries({ index, segments, letters }, lsns)
    await copyBatch(source, target, entries, (lsn) => ({
      primary: index.state('primary', lsn),
      backup: index.state('backup', lsn),
    }))
  }
  const states = new Map(source.tail.map((entry) => [entry.lsn, entry.states]))
  const tail = source.tail.map(({ lsn, payload }) => ({ lsn, operations: decodeGroup(payload, 0) }))
  await copyBatch(source, target, tail, (lsn) => states.get(lsn)!)
}

function* batches({ index }: RecoveredLog): Iterable<readonly Lsn[]> {
  let batch: Lsn[] = []
  let bytes = 0
  for (const lsn of index.lsns()) {
    if (index.isDone(lsn)) continue
    batch.push(lsn)
    bytes += index.bytes(lsn)
    if (batch.length < BATCH_ENTRIES && bytes < BATCH_BYTES) continue
    yield batch
    batch = []
    bytes = 0
  }
  if (batch.length > 0) yield batch
}

async function copyBatch(
  { letters }: RecoveredLog,
  target: OpenLog,
  entries: readonly WalEntry[],
  statesOf: (lsn: Lsn) => States,
): Promise<void> {
  const copies = await Promise.all(
    entries.map(async ({ lsn, operations }) => {
      const states = statesOf(lsn)
      // Held until it is quarantined here too: the place would be sent it otherwise.
      const primary = states.primary === QUARANTINED ? HELD : states.primary
      const backup = states.backup === QUARANTINED ? HELD : states.backup
      return { lsn, states, copy: await target.copy(operations, { primary, backup }) }
    }),
  )
  for (const { lsn, states, copy } of copies) {
    for (const place of DATABASE_PLACES) {
      if (states[place] !== QUARANTINED) continue
      await target.quarantine(place, copy, letters.get(place, lsn)!.reason)
    }
  }
}

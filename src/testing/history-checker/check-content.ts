import { groupBy } from '../../core/group-by.ts'
import type {
  CheckOptions,
  DownloadRecord,
  HistoryRecord,
  UploadRecord,
  Violation,
} from './history.ts'
import { nameOf } from './check-reads.ts'
import { mustSee } from './visibility.ts'

/**
 * Content beside messages is what was saved, from when that was acknowledged on; nothing is to be seen of what was
 * refused; and what a message refers to outlives the removal of what none refers to.
 */
export function* checkContent(
  records: readonly HistoryRecord[],
  options: CheckOptions,
): Iterable<Violation> {
  const uploads = groupBy(
    records.filter((record) => record.kind === 'upload'),
    ({ name }) => name,
  )
  if (uploads.size === 0) return
  const shown = shownAtTheEnd(records)
  for (const read of records) {
    if (read.kind !== 'download' || read.outcome !== 'ok') continue
    const saves = (uploads.get(read.name) ?? []).filter(
      ({ startMs }) => startMs <= (read.settledMs ?? Number.POSITIVE_INFINITY),
    )
    yield* checkRead(read, saves, shown, options)
  }
}

function* checkRead(
  read: DownloadRecord,
  saves: readonly UploadRecord[],
  shown: ReadonlySet<string>,
  options: CheckOptions,
): Iterable<Violation> {
  const told = (text: string): Violation => ({
    kind: 'content',
    text: `${read.name} ${text} in a ${nameOf(read)}`,
    records: [...saves, read],
  })
  if (read.found === 'other') yield told('has other bytes')
  if (read.found === 'whole' && saves.every(({ outcome }) => outcome === 'none')) {
    yield told('was refused, and is there')
  }
  if (read.found !== 'absent') return
  const isOwed = saves.some((save) => mustSee(save, read, options))
  const isUsed = saves.some(({ usedBy }) => usedBy !== undefined && shown.has(usedBy))
  if (isOwed && (read.isCleaned !== true || isUsed)) yield told('is not there')
}

/** Contents of messages that final reads show. */
function shownAtTheEnd(records: readonly HistoryRecord[]): ReadonlySet<string> {
  const shown = new Set<string>()
  for (const record of records) {
    if (record.kind !== 'read' || !record.final || record.outcome !== 'ok') continue
    for (const { content } of record.messages) shown.add(content)
  }
  return shown
}

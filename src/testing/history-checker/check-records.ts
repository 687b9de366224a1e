/*
 * Records of conversations: what a look at one must show.
 *
 *   record         an acknowledged create is not shown, or not listed, and nothing can have deleted it
 *   record-zombie  a deleted one is shown, or listed, and nothing can have created it again
 *   field          a field has another value than the latest that it can have
 *
 * Every value is written once. Programs change records of conversations without messages.
 */
import type {
  CheckOptions,
  RecordCall,
  RecordRead,
  RecordWrite,
  Violation,
  ViolationKind,
} from './history.ts'
import { mustSee } from './visibility.ts'

/** Every violation among the calls about records. */
export function* checkRecords(
  calls: readonly RecordCall[],
  options: CheckOptions,
): Iterable<Violation> {
  for (const name of new Set(calls.map(({ conversation }) => conversation))) {
    const own = calls.filter(({ conversation }) => conversation === name)
    const writes = own.filter((call) => call.kind !== 'record')
    for (const read of own) {
      if (read.kind === 'record' && read.outcome === 'ok') yield* checkRead(read, writes, options)
    }
  }
}

function* checkRead(
  read: RecordRead,
  all: readonly RecordWrite[],
  options: CheckOptions,
): Iterable<Violation> {
  const { clockToleranceMs } = options
  // What began after the read, or never happened, is not in it.
  const writes = all.filter(({ outcome, startMs }) => {
    return outcome !== 'none' && startMs <= read.settledMs!
  })
  const seen = (write: RecordWrite): boolean => mustSee(write, read, options)
  const mayFollow = (one: RecordWrite, other: RecordWrite): boolean =>
    endOf(one) + clockToleranceMs >= other.startMs
  const deletes = writes.filter(({ kind }) => kind === 'delete')
  const creates = writes.filter(({ kind }) => kind === 'create')
  const standing = creates.find(
    (create) => seen(create) && !deletes.some((each) => mayFollow(each, create)),
  )
  const gone = deletes.find(
    (each) => seen(each) && !creates.some((create) => mayFollow(create, each)),
  )
  for (const [isThere, where] of [
    [read.fields !== undefined, 'shown'],
    [read.isListed, 'listed'],
  ] as const) {
    if (standing !== undefined && !isThere) yield told('record', `not ${where}`, standing, read)
    if (gone !== undefined && isThere) yield told('record-zombie', where, gone, read)
  }
  if (read.fields === undefined) return
  for (const field of ['title', 'x'] as const) {
    const value = read.fields[field]
    const ofField = writes.filter(({ fields }) => fields?.[field] !== undefined)
    const origin = ofField.find(({ fields }) => fields![field] === value)
    const later = ofField.find((write) => seen(write) && isOverdue(write, origin))
    if (later !== undefined) yield told('field', `${field} is ${String(value)}`, later, read)
  }

  /** The field shows something that this write must have replaced, or nothing where it must stand. */
  function isOverdue(write: RecordWrite, origin: RecordWrite | undefined): boolean {
    if (origin !== undefined) return !mayFollow(origin, write)
    return ![...deletes, ...creates].some((each) => each !== write && mayFollow(each, write))
  }
}

function endOf({ outcome, settledMs }: RecordWrite): number {
  return outcome === 'ok' ? settledMs! : Number.POSITIVE_INFINITY
}

function told(kind: ViolationKind, text: string, write: RecordWrite, read: RecordRead): Violation {
  const when = read.final ? 'at the end' : read.complete ? 'in a complete read' : 'in a read'
  return {
    kind,
    text: `the record of ${read.conversation}: ${text} ${when}, after a ${write.kind} that was acknowledged`,
    records: [write, read],
  }
}

import { DATABASE_PLACES } from '../../core/places.ts'
import {
  decidersOf,
  knew,
  knewId,
  type ConversationLog,
  type MessageLog,
} from './conversation-log.ts'
import type {
  AppendRecord,
  ClearRecord,
  EditRecord,
  GetRecord,
  ReadRecord,
  RemoveRecord,
  ShownMessage,
  Violation,
} from './history.ts'
import { mayHaveExpired } from './check-expiry.ts'
import { effectEndMs, mustSee, type View } from './visibility.ts'

/** Lost, doubled, made up, come back, edited in vain: what a single read can show. */
export function checkReads(log: ConversationLog): Violation[] {
  const found: Violation[] = []
  const appends = acknowledgedIn(log)
  for (const read of log.reads) {
    found.push(...checkShown(log, read))
    found.push(...checkLost(log, read, appends))
    if (!read.paged && read.only === undefined) found.push(...checkGroups(log, read))
  }
  for (const get of log.gets) found.push(...checkRegister(log, get))
  return found
}

/** Saves that were acknowledged under a known id, by their start. */
export function acknowledgedIn(log: ConversationLog): AppendRecord[] {
  return log.appends
    .filter(({ outcome, id }) => outcome === 'ok' && id !== undefined)
    .sort((a, b) => a.startMs - b.startMs)
}

/**
 * True when the read must show the message of this acknowledged save: nothing that it could have been
 * cleared or removed by, after it was acknowledged, had begun before the read ended.
 */
export function mustStand(log: ConversationLog, append: AppendRecord, read: View): boolean {
  const { options } = log
  if (!mustSee(append, read, options)) return false
  const untilMs = read.settledMs ?? Number.POSITIVE_INFINITY
  const message = log.message(append.id!)
  const isRemoved = message.removals.some(
    (removal) => removal.startMs <= untilMs && !knewId(append, removal, options),
  )
  if (isRemoved) return false
  // What nobody saved again and no place decided together is looked up among all clears at once.
  return message.appends.length === 1 && append.together !== true
    ? message.firstStartMs > log.clearedThroughMs(read, decidersOf(append, options))
    : !log.mayBeClearedAfter(append, untilMs)
}

function* checkLost(
  log: ConversationLog,
  read: ReadRecord,
  appends: readonly AppendRecord[],
): Iterable<Violation> {
  const shown = new Map(read.messages.map((message) => [message.id, message]))
  const surelyCleared = log.clearedThroughMs(read, [...DATABASE_PLACES, 'wal'])
  // Sorted by their start: what a clear may have taken, and what began too late, is skipped.
  for (let i = firstAfter(appends, surelyCleared); i < appends.length; i++) {
    const append = appends[i]!
    if (append.startMs > read.startMs) return
    if (read.only !== undefined && read.only !== append.id) continue
    const there = shown.get(append.id!)
    if (there !== undefined && !hasMoved(log, append, there)) continue
    if (!mustStand(log, append, read)) continue
    if (read.paged && append.together !== true && log.message(append.id!).appends.length > 1) {
      continue
    }
    const where = `in a ${nameOf(read)} of ${relation(append, read)}`
    yield there === undefined
      ? { kind: 'lost', text: `${append.content} is not ${where}`, records: [append, read] }
      : {
          kind: 'moved',
          text: `${append.content} was acknowledged at ${append.position} and is at ${there.position} ${where}`,
          records: [append, read],
        }
  }
}

/** Under an id that was saved through places which could not see each other, the later position counts. */
function hasMoved(log: ConversationLog, append: AppendRecord, { position }: ShownMessage): boolean {
  if (position === undefined || position === append.position) return false
  return log.message(append.id!).appends.every(({ together }) => together === true)
}

/** What is left of a group that was edited, removed or cleared in part is not judged. */
function* checkGroups(log: ConversationLog, read: ReadRecord): Iterable<Violation> {
  const shown = new Map<string, number>()
  for (const { content } of read.messages) {
    const writer = log.writers.get(content)
    // What was refused and is shown was saved alone.
    const wrote = writer?.kind === 'append' && writer.outcome !== 'none'
    const group = wrote ? writer.group : undefined
    if (group !== undefined) shown.set(group, (shown.get(group) ?? 0) + 1)
  }
  for (const [name, count] of shown) {
    const group = log.groups.get(name)!
    if (count === group.length) continue
    const changed = group.some((append) => {
      const message = log.messages.get(log.idOf(append) ?? '')
      return message === undefined || message.isChanged || message.appends.length > 1
    })
    if (changed || log.mayBeCleared(group[0]!.startMs, read)) continue
    const text = `${count} of the ${group.length} messages of ${name} are shown`
    yield { kind: 'torn', text, records: [...group, read] }
  }
}

function firstAfter(appends: readonly AppendRecord[], startMs: number): number {
  let low = 0
  let high = appends.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (appends[middle]!.startMs <= startMs) low = middle + 1
    else high = middle
  }
  return low
}

function* checkShown(log: ConversationLog, read: ReadRecord): Iterable<Violation> {
  const seen = new Set<string>()
  for (const shown of read.messages) {
    const message = log.messages.get(shown.id)
    const mayMove = read.paged && (message === undefined || !staysInPlace(message, read))
    if (seen.has(shown.id) && !mayMove) {
      yield { kind: 'duplicate', text: `${shown.content} is there twice`, records: [read] }
    }
    seen.add(shown.id)
    const garbage = whyGarbage(log, read, shown)
    if (garbage !== undefined || message === undefined) {
      yield { kind: 'garbage', text: garbage ?? `${shown.id} was never saved`, records: [read] }
      continue
    }
    yield* checkGone(log, message, read, shown)
    yield* checkEdit(log, message, read, shown)
  }
}

/** What was cleared or removed, or edited and then cleared, is not shown any more. */
function* checkGone(
  log: ConversationLog,
  message: MessageLog,
  read: ReadRecord,
  shown: ShownMessage,
): Iterable<Violation> {
  const creators = creatorsOf(message, shown)
  const clear = log.visibleClears.latest(read)
  const where = `is in a ${nameOf(read)} of`
  if (clear !== undefined && creators.every((append) => isClearedBy(log, append, shown, clear))) {
    yield {
      kind: 'zombie',
      text: `${shown.content} was cleared and ${where} ${relation(clear, read)}`,
      records: [...creators, clear, read],
    }
  }
  const removal = message.removes.latest(read)
  const isSame = removal?.position !== undefined && removal.position === shown.position
  if (removal !== undefined && (isSame || isRemoved(log, message, read, creators, removal))) {
    yield {
      kind: 'zombie',
      text: `${shown.content} was removed and ${where} ${relation(removal, read)}`,
      records: [...creators, removal, read],
    }
  }
  const writer = log.writers.get(shown.content)
  // A save that could not see what stands may be ordered before the edit by clocks.
  const isLater = (append: AppendRecord): boolean =>
    append.together === true && append.startMs > effectEndMs(writer!)
  if (writer?.kind === 'edit' && creators.every(isLater)) {
    yield {
      kind: 'zombie',
      text: `${shown.content} is an edit from before the message was saved, and ${where} ${relation(writer, read)}`,
      records: [writer, ...creators, read],
    }
  }
}

/**
 * True when the clear must have taken what this save made. At a position that the save was not told, it made
 * it in a place whose answer was lost, and nobody could know of that: clocks alone put it before the clear.
 */
function isClearedBy(
  log: ConversationLog,
  append: AppendRecord,
  { position }: ShownMessage,
  clear: ClearRecord,
): boolean {
  const isTold = position === undefined || append.position === undefined
  if (isTold || append.position === position) return log.isBefore(append, clear)
  return effectEndMs(append) + log.options.clockToleranceMs <= clear.startMs
}

/** True when the removal must have been of what these saves made. */
function isRemoved(
  log: ConversationLog,
  message: MessageLog,
  read: ReadRecord,
  creators: readonly AppendRecord[],
  removal: RemoveRecord,
): boolean {
  if (log.mayBeCleared(removal.startMs, read)) return false
  // A save under the id since is judged by what it was answered.
  if (creators.some(({ startMs }) => startMs >= effectEndMs(removal))) return false
  return isOfAny(log, message, removal, creators)
}

/** Of several saves under an id a change is of one that its process could see. */
function isOfAny(
  log: ConversationLog,
  { appends }: MessageLog,
  change: EditRecord | RemoveRecord,
  creators: readonly AppendRecord[],
): boolean {
  return appends.length === 1 || creators.every((append) => knew(change, append, log.options))
}

/** The saves that the shown message may come from: those that were told its position, or may have been. */
function creatorsOf({ appends }: MessageLog, { position }: ShownMessage): readonly AppendRecord[] {
  if (position === undefined || !appends.some((append) => append.position === position)) {
    return appends
  }
  return appends.filter((append) => (append.position ?? position) === position)
}

/** An id that was made from the position it was acknowledged at: the message never moved. */
function staysInPlace({ appends }: MessageLog, read: ReadRecord): boolean {
  const [append] = appends
  if (append === undefined || appends.length > 1 || append.outcome !== 'ok') return false
  return append.id === append.position && append.settledMs! <= read.startMs
}

/** What is read must have been written, under this id, before the read ended. */
function whyGarbage(
  log: ConversationLog,
  read: ReadRecord,
  { id, content }: ShownMessage,
): string | undefined {
  const writer = log.writers.get(content)
  if (writer === undefined) return `nobody wrote ${content}`
  const saves = log.messages.get(id)?.appends ?? []
  const start =
    writer.kind === 'append' ? (log.messages.get(id)?.firstStartMs ?? 0) : writer.startMs
  if (start > read.settledMs!) return `${content} was read before it was written`
  const wrote =
    writer.kind === 'edit'
      ? writer.id === id && writer.outcome !== 'none'
      : saves.some((save) => save.content === content)
  return wrote ? undefined : `${content} was refused, or written under another id than ${id}`
}

function* checkEdit(
  log: ConversationLog,
  message: MessageLog,
  read: ReadRecord,
  shown: ShownMessage,
): Iterable<Violation> {
  const edit = message.edits.latest(read)
  const writer = log.writers.get(shown.content)
  if (edit === undefined || writer === undefined || writer === edit) return
  if (!isOvertaken(log, message, read, shown, edit)) return
  yield {
    kind: 'edit-lost',
    text: `${shown.content} is shown instead of ${edit.content} in a ${nameOf(read)} of ${relation(edit, read)}`,
    records: [writer, edit, read],
  }
}

/** True when the edit was of the message that is shown, and later than what is shown. */
function isOvertaken(
  log: ConversationLog,
  message: MessageLog,
  read: ReadRecord,
  shown: ShownMessage,
  edit: EditRecord,
): boolean {
  const writer = log.writers.get(shown.content)!
  const isSame = edit.position !== undefined && edit.position === shown.position
  // An edit is of an append that was there.
  if (writer.kind === 'append' && isSame) return true
  const writers = writer.kind === 'edit' ? [writer] : creatorsOf(message, shown)
  const isOf = writer.kind === 'edit' || isOfAny(log, message, edit, creatorsOf(message, shown))
  if (!isOf || !writers.every((write) => log.isBefore(write, edit))) return false
  return isSame || !writers.some(({ startMs }) => log.mayBeCleared(startMs, read))
}

function* checkRegister(log: ConversationLog, read: GetRecord): Iterable<Violation> {
  const { clockToleranceMs } = log.options
  const standing = read.content === undefined ? undefined : log.sets.get(read.content)
  if (read.content !== undefined) {
    if (
      standing === undefined ||
      standing.outcome === 'none' ||
      standing.startMs > read.settledMs!
    ) {
      yield { kind: 'garbage', text: `nobody had set ${read.content}`, records: [read] }
      return
    }
  }
  const latest = log.visibleSets.latest(read)
  if (latest !== undefined && latest !== standing) {
    const overtaken =
      standing === undefined
        ? !log.mayBeCleared(latest.startMs, read) && !mayHaveExpired(log, latest, read)
        : effectEndMs(standing) + clockToleranceMs < latest.startMs
    if (overtaken) {
      yield {
        kind: 'set-lost',
        text: `${read.content} is shown instead of ${latest.content} in a ${nameOf(read)} of ${relation(latest, read)}`,
        records: [...(standing === undefined ? [] : [standing]), latest, read],
      }
    }
  }
  const clear = log.visibleClears.latest(read)
  if (standing === undefined || clear === undefined) return
  if (effectEndMs(standing) + clockToleranceMs <= clear.startMs) {
    yield {
      kind: 'zombie',
      text: `${read.content} was cleared and is in a ${nameOf(read)} of ${relation(clear, read)}`,
      records: [standing, clear, read],
    }
  }
}

export function nameOf({ final, complete }: { final: boolean; complete: boolean }): string {
  return final ? 'final read' : complete ? 'complete read' : 'partial read'
}

function relation(
  write: { readonly process: string; readonly incarnation: number },
  read: { readonly process: string; readonly incarnation: number },
): string {
  if (write.process !== read.process) return 'another process'
  return write.incarnation === read.incarnation ? 'the same process' : 'the same process, restarted'
}

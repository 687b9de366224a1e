import { DATABASE_PLACES } from '../../core/operation.ts'
import { deciderOf, type ConversationLog, type MessageLog } from './conversation-log.ts'
import type {
  AppendRecord,
  ClearRecord,
  GetRecord,
  ReadRecord,
  ShownMessage,
  Violation,
} from './history.ts'
import { effectEndMs, mustSee } from './visibility.ts'

/** Lost, doubled, made up, come back, edited in vain: what a single read can show. */
export function checkReads(log: ConversationLog): Violation[] {
  const found: Violation[] = []
  const appends = log.appends
    .filter(({ outcome, id }) => outcome === 'ok' && id !== undefined)
    .sort((a, b) => a.startMs - b.startMs)
  for (const read of log.reads) {
    found.push(...checkShown(log, read))
    found.push(...checkLost(log, read, appends))
    if (!read.paged) found.push(...checkGroups(log, read))
  }
  for (const get of log.gets) found.push(...checkRegister(log, get))
  return found
}

function* checkLost(
  log: ConversationLog,
  read: ReadRecord,
  appends: readonly AppendRecord[],
): Iterable<Violation> {
  const shown = new Set(read.messages.map(({ id }) => id))
  const cleared = log.clearedThroughMs(read, undefined)
  const surelyCleared = Math.min(
    log.clearedThroughMs(read, 'primary'),
    log.clearedThroughMs(read, 'backup'),
    log.clearedThroughMs(read, 'wal'),
    cleared,
  )
  // Sorted by their start: what a clear may have taken, and what began too late, is skipped.
  for (let i = firstAfter(appends, surelyCleared); i < appends.length; i++) {
    const append = appends[i]!
    if (append.startMs > read.startMs) return
    const message = log.message(append.id!)
    if (shown.has(append.id!) || !mustSee(append, read, log.options)) continue
    if (message.removeStartMs <= read.settledMs!) continue
    // A repeat is answered by what stood before it.
    const decider = message.appends.length === 1 ? deciderOf(append, log.options) : undefined
    if (message.firstStartMs <= log.clearedThroughMs(read, decider)) continue
    if (read.paged && message.appends.length > 1) continue
    yield {
      kind: 'lost',
      text: `${append.content} is not in a ${nameOf(read)} of ${relation(append, read)}`,
      records: [append, read],
    }
  }
}

/** What is left of a group that was edited, removed or cleared in part is not judged. */
function* checkGroups(log: ConversationLog, read: ReadRecord): Iterable<Violation> {
  const shown = new Map<string, number>()
  for (const { content } of read.messages) {
    const writer = log.writers.get(content)
    const group = writer?.kind === 'append' ? writer.group : undefined
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
  const clear = log.visibleClears.latest(read)
  const tolerance = log.options.clockToleranceMs
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
    if (
      clear !== undefined &&
      message.lastEndMs + (metBefore(log, message, clear) ? 0 : tolerance) <= clear.startMs
    ) {
      yield {
        kind: 'zombie',
        text: `${shown.content} was cleared and is in a ${nameOf(read)} of ${relation(clear, read)}`,
        records: [...message.appends, clear, read],
      }
    }
    const removal = message.removes.latest(read)
    if (removal !== undefined && !log.mayBeCleared(removal.startMs, read)) {
      yield {
        kind: 'zombie',
        text: `${shown.content} was removed and is in a ${nameOf(read)} of ${relation(removal, read)}`,
        records: [...message.appends, removal, read],
      }
    }
    yield* checkEdit(log, read, shown)
  }
}

/** An id that was made from the position it was acknowledged at: the message never moved. */
function staysInPlace({ appends }: MessageLog, read: ReadRecord): boolean {
  const [append] = appends
  if (append === undefined || appends.length > 1 || append.outcome !== 'ok') return false
  return append.id === append.position && append.settledMs! <= read.startMs
}

/** True when one database had the message before it decided the clear: clocks do not matter. */
function metBefore(log: ConversationLog, { appends }: MessageLog, clear: ClearRecord): boolean {
  const [append] = appends
  if (append === undefined || appends.length > 1 || log.options.lostDisk === true) return false
  return DATABASE_PLACES.some(
    (place) => append.copies?.includes(place) === true && clear.copies?.includes(place) === true,
  )
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
  read: ReadRecord,
  { id, content }: ShownMessage,
): Iterable<Violation> {
  const edit = log.message(id).edits.latest(read)
  const writer = log.writers.get(content)
  if (edit === undefined || writer === undefined || writer === edit) return
  if (effectEndMs(writer) + log.options.clockToleranceMs >= edit.startMs) return
  if (log.mayBeCleared(writer.startMs, read)) return
  yield {
    kind: 'edit-lost',
    text: `${content} is shown instead of ${edit.content} in a ${nameOf(read)} of ${relation(edit, read)}`,
    records: [writer, edit, read],
  }
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
        ? !log.mayBeCleared(latest.startMs, read)
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

function nameOf({ final, complete }: { final: boolean; complete: boolean }): string {
  return final ? 'final read' : complete ? 'complete read' : 'partial read'
}

function relation(
  write: { readonly process: string; readonly incarnation: number },
  read: { readonly process: string; readonly incarnation: number },
): string {
  if (write.process !== read.process) return 'another process'
  return write.incarnation === read.incarnation ? 'the same process' : 'the same process, restarted'
}

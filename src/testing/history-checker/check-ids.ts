import { mustStand } from './check-reads.ts'
import { knew, knewId, type ConversationLog, type MessageLog } from './conversation-log.ts'
import type { AppendRecord, ClearRecord, MessageWrite, Violation } from './history.ts'
import { viewOf } from './visibility.ts'

/** What saves, edits and removals were answered, by what stood under their id. */
export function* checkIds(log: ConversationLog): Iterable<Violation> {
  for (const message of log.messages.values()) {
    const saves = message.appends
      .filter(({ outcome }) => outcome === 'ok')
      .sort((a, b) => a.startMs - b.startMs)
    for (const [i, first] of saves.entries()) {
      for (const second of saves.slice(i + 1)) yield* checkPair(log, message, first, second)
      yield* checkRemoved(log, message, first)
    }
    for (const write of message.refused) yield* checkRefusal(log, message, write)
  }
}

/** Two acknowledged saves under one id are one message, unless it was cleared in between. */
function* checkPair(
  log: ConversationLog,
  message: MessageLog,
  first: AppendRecord,
  second: AppendRecord,
): Iterable<Violation> {
  // Who could not see the other's place may decide otherwise; at the same time, either of them.
  const isSequence = first.settledMs! <= second.startMs
  // A shared log puts saves in order, and knows no id that both databases have.
  const isJudged = isSequence
    ? knewId(second, first, log.options)
    : first.together === true && second.together === true
  if (!isJudged) return
  // A third save under the id may have come to a place that saw neither: the later position counts.
  const isThird = (append: AppendRecord): boolean =>
    append !== first && append !== second && append.startMs <= second.settledMs!
  if (second.together !== true && message.appends.some(isThird)) return
  const records = [first, second]
  const between = log.clears.filter(
    (clear) =>
      clear.startMs <= second.settledMs! &&
      (!log.isBefore(clear, first) || hasMissed(log, message, first, clear)),
  )
  if (between.length === 0) {
    if (first.content !== second.content) {
      if (message.isChanged) return
      // A repeat of what another database took, unseen by the first one, is told that it stands.
      const isRepeated = message.appends.some(
        (append) =>
          isThird(append) &&
          append.content === second.content &&
          decidedElsewhere(append, first, log.options),
      )
      if (isRepeated) return
      const text = `${first.content} and ${second.content} are both acknowledged as ${message.id}`
      yield { kind: 'unique', text, records }
    } else if (
      first.position !== second.position &&
      (second.together === true || isSameLife(first, second)) &&
      !message.appends.some(
        (append) => isThird(append) && decidedElsewhere(append, first, log.options),
      )
    ) {
      const text = `${first.content} was acknowledged at ${first.position}, and again at ${second.position}`
      yield { kind: 'moved', text, records }
    }
    return
  }
  const clear = between.find((it) => knew(it, first, log.options) && knew(second, it, log.options))
  if (clear === undefined || first.position! < second.position!) return
  const text = `${second.content} was saved after a clear and is acknowledged at ${second.position}, which is from before it`
  yield { kind: 'not-free', text, records: [first, clear, second] }
}

/** True when a save repeats one from before a clear that it could not know of. */
function hasMissed(
  log: ConversationLog,
  message: MessageLog,
  save: AppendRecord,
  clear: ClearRecord,
): boolean {
  if (knew(save, clear, log.options)) return false
  return message.appends.some(
    (append) =>
      append !== save &&
      append.position === save.position &&
      append.startMs <= (clear.settledMs ?? Number.POSITIVE_INFINITY),
  )
}

/** Two saves of which one was cut off, and neither of which could see the other: the later position counts. */
function decidedElsewhere(
  third: AppendRecord,
  first: AppendRecord,
  options: ConversationLog['options'],
): boolean {
  const isCut = third.together !== true || first.together !== true
  return isCut && !knewId(third, first, options) && !knewId(first, third, options)
}

/** A try of another process may have put the same content elsewhere before it reached who knew it. */
function isSameLife(one: AppendRecord, other: AppendRecord): boolean {
  return one.process === other.process && one.incarnation === other.incarnation
}

/** The id of a message that was removed, and not cleared since, is taken for good. */
function* checkRemoved(
  log: ConversationLog,
  message: MessageLog,
  append: AppendRecord,
): Iterable<Violation> {
  for (const removal of message.removals) {
    if (!knewId(append, removal, log.options)) continue
    // A clear that the removal did not know of had taken what was removed, or took it later.
    const isCleared = log.clears.some(
      (clear) => clear.startMs <= append.settledMs! && !knew(removal, clear, log.options),
    )
    if (isCleared) continue
    const text = `${append.content} is acknowledged as ${message.id}, which was removed`
    yield { kind: 'not-free', text, records: [removal, append] }
  }
}

function* checkRefusal(
  log: ConversationLog,
  message: MessageLog,
  write: MessageWrite,
): Iterable<Violation> {
  if (write.code === 'CONFLICT' && write.kind === 'append') {
    if (write.together !== true || write.group !== undefined || mayConflict(log, message, write)) {
      return
    }
    const text = `${write.content} is CONFLICT, and nothing else stands as ${message.id}`
    yield { kind: 'refused', text, records: [...message.appends, write] }
  }
  if (write.code === 'NOT_FOUND' && write.kind !== 'append') {
    const view = viewOf(write)
    const standing = message.appends.find((append) => mustStand(log, append, view))
    if (standing === undefined) return
    const text = `${message.id} is NOT_FOUND, and ${standing.content} stands`
    yield { kind: 'not-found', text, records: [standing, write] }
  }
}

/** True when other content, or a removal, may have stood under the id during the call. */
function mayConflict(log: ConversationLog, message: MessageLog, write: AppendRecord): boolean {
  const clears = log.clears.filter((clear) => knew(write, clear, log.options))
  return [
    ...message.appends.filter(({ content }) => content !== write.content),
    ...message.removals,
  ].some(
    (other) =>
      other.startMs <= write.settledMs! && !clears.some((clear) => log.isBefore(other, clear)),
  )
}

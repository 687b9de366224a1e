import { acknowledgedIn, mustStand, nameOf } from './check-reads.ts'
import type { ConversationLog, MessageLog } from './conversation-log.ts'
import type { CountRecord, ListRecord, Violation } from './history.ts'

/** Counts and lists say what a read would have shown. */
export function* checkCounts(log: ConversationLog): Iterable<Violation> {
  if (log.counts.length === 0) return
  const appends = acknowledgedIn(log)
  for (const record of log.counts) {
    const standing = appends.filter((append) => mustStand(log, append, record))
    const least = new Set(standing.map(({ id }) => id)).size
    const most = mostIn(log, record)
    const count = record.kind === 'count' ? record.count : record.isListed ? most : 0
    const isShort = record.kind === 'count' ? count < least : !record.isListed && least > 0
    const isLong = record.kind === 'count' ? count > most : record.isListed && most === 0
    if (!isShort && !isLong) continue
    yield {
      kind: record.kind === 'count' ? 'count' : 'listed',
      text:
        record.kind === 'count'
          ? `${count} messages in a ${nameOf(record)}, and there are ${least} to ${most}`
          : `the conversation is ${record.isListed ? '' : 'not '}in a ${nameOf(record)} of a list, and has ${least} to ${most} messages`,
      records: [...(isShort ? standing : []), record],
    }
  }
}

/** As many as may stand at some time of the call. */
function mostIn(log: ConversationLog, record: CountRecord | ListRecord): number {
  const clear = log.visibleClears.latest(record)
  const untilMs = record.settledMs!
  let most = 0
  for (const message of log.messages.values()) {
    const begun = message.appends.filter(({ startMs }) => startMs <= untilMs)
    const isGone = clear !== undefined && begun.every((append) => log.isBefore(append, clear))
    if (begun.length > 0 && !isGone && !isRemoved(log, message, record)) most++
  }
  // A save that told nobody its id, and that no read has shown.
  const unnamed = log.appends.filter((append) => log.idOf(append) === undefined)
  return (
    most + unnamed.filter(({ outcome, startMs }) => outcome !== 'none' && startMs <= untilMs).length
  )
}

function isRemoved(
  log: ConversationLog,
  message: MessageLog,
  record: CountRecord | ListRecord,
): boolean {
  const removal = message.removes.latest(record)
  return removal !== undefined && !log.mayBeCleared(removal.startMs, record)
}

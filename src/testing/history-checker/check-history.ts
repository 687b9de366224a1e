/*
 * Checks a history of calls against the promises of the store, in n log n.
 *
 * A history is what clients did and were told, with times of one clock. The checker knows nothing
 * of places and faults: it asks whether any order of the calls explains what the reads show. A call
 * whose outcome is unknown may have happened at any later time, or never. The `complete` flag of a
 * read is believed, so a read that claims completeness wrongly is a violation.
 *
 *   lost           a read that must show an acknowledged message does not
 *   duplicate      a message is shown twice
 *   garbage        what is shown was never written, was refused, or was written later
 *   order          the reads do not fit one order
 *   session-order  a message stands before something that its process knew when it was saved
 *   moved          a message is not where its receipt said
 *   zombie         what was cleared or removed is shown, or what the process knew to be cleared
 *   edit-lost      an older content is shown in place of a newer one
 *   set-lost       the same for the register
 *   swap           a value that was set under a condition: twice for what stood, lost, or though it was refused
 *   fork           a fork without what it shares, or with what came later (`check-forks.ts`)
 *   content        content beside messages is not there, or not what was saved (`check-content.ts`)
 *   expired        a value that had expired before the read began
 *   unique         two contents are acknowledged under one id that was not cleared in between
 *   not-free       an id that was cleared is not new, or one that was removed is taken again
 *   refused        CONFLICT, and nothing else can have stood under the id
 *   not-found      NOT_FOUND, and the message must have been there
 *   count          a count that no read could have shown
 *   listed         a list without a conversation that has messages, or with one that has none
 *   record         the record of a conversation is not there (`check-records.ts`)
 *   record-zombie  one that was deleted is
 *   field          a field of a record has an earlier value
 *   torn           a part of an atomic group is shown without the rest
 *   receipt        an acknowledgement names no place, or one twice
 *   late           a call took longer than its deadline
 *   diverged       the databases differ after everything was drained
 *   untold         a follower who reads again what it is told to does not end with what is there
 *   retold         a follower is told the same message twice
 *   leftover       something was not drained
 *
 * Not judged: what other processes wrote, in an incomplete read; what other processes acknowledged
 * from their own log alone, before the final read; the order of messages with ids of the callers',
 * which may change places when they are saved again, by their callers or by a retry of the store.
 */
import { checkContent } from './check-content.ts'
import { checkCounts } from './check-counts.ts'
import { checkExpiry } from './check-expiry.ts'
import { checkForks } from './check-forks.ts'
import { checkIds } from './check-ids.ts'
import { checkMirrors } from './check-mirrors.ts'
import { checkOrder } from './check-order.ts'
import { checkReads } from './check-reads.ts'
import { checkRecords } from './check-records.ts'
import { checkReturns } from './check-returns.ts'
import { checkSwaps } from './check-swaps.ts'
import { checkStreams } from './check-streams.ts'
import { ConversationLog } from './conversation-log.ts'
import type { CheckOptions, History, HistoryRecord, Violation, Write } from './history.ts'

/** Beyond its deadline a call may take this long: timers and turns of the loop. Milliseconds. */
const DEADLINE_SLACK_MS = 1_000

const SEVERAL_CALLS: ReadonlySet<HistoryRecord['kind']> = new Set([
  'truncate',
  'fork',
  'branch',
  'upload',
  'download',
])

/** Every violation, in no particular order; none for a history that keeps the promises. */
export function checkHistory(history: History, options: CheckOptions): Violation[] {
  const found: Violation[] = []
  for (const records of byConversation(history.records).values()) {
    const log = new ConversationLog(records, options)
    found.push(...checkReads(log), ...checkReturns(log), ...checkOrder(log))
    found.push(...checkIds(log), ...checkCounts(log), ...checkExpiry(log))
    found.push(...checkSwaps(records, options), ...checkForks(log, records))
  }
  found.push(...checkContent(history.records, options))
  for (const record of history.records) {
    found.push(...checkReceipt(record), ...checkDeadline(record, options))
  }
  found.push(...checkRecords(history.recordCalls ?? [], options))
  found.push(...checkStreams(history), ...checkPlaces(history))
  found.push(...checkMirrors(history))
  for (const text of history.leftovers ?? []) found.push({ kind: 'leftover', text, records: [] })
  return found
}

function byConversation(records: readonly HistoryRecord[]): Map<string, HistoryRecord[]> {
  const groups = new Map<string, HistoryRecord[]>()
  for (const record of records) {
    const group = groups.get(record.conversation)
    if (group === undefined) groups.set(record.conversation, [record])
    else group.push(record)
  }
  return groups
}

function* checkReceipt(record: HistoryRecord): Iterable<Violation> {
  if (!('copies' in record) || record.outcome !== 'ok') return
  const { copies = [] }: Pick<Write, 'copies'> = record
  if (copies.length > 0 && new Set(copies).size === copies.length) return
  const text = `acknowledged with copies [${copies.join(', ')}]`
  yield { kind: 'receipt', text, records: [record] }
}

function* checkDeadline(record: HistoryRecord, { deadlineMs }: CheckOptions): Iterable<Violation> {
  if (record.abandoned === true) return
  // A call for each page, and several of the store for each of these.
  if ((record.kind === 'read' && record.paged) || SEVERAL_CALLS.has(record.kind)) return
  const tookMs = (record.settledMs ?? Number.POSITIVE_INFINITY) - record.startMs
  if (tookMs <= deadlineMs + DEADLINE_SLACK_MS) return
  yield { kind: 'late', text: `a ${record.kind} took ${tookMs} ms`, records: [record] }
}

function* checkPlaces({ places = {} }: History): Iterable<Violation> {
  const names = Object.keys(places)
  for (const name of names.slice(1)) {
    if (places[name] === places[names[0]!]) continue
    yield { kind: 'diverged', text: `${names[0]} and ${name} differ`, records: [] }
  }
}

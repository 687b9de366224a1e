import type { ConversationLog } from './conversation-log.ts'
import { knew } from './conversation-log.ts'
import { nameOf } from './check-reads.ts'
import type {
  BranchRecord,
  CheckOptions,
  ForkRecord,
  HistoryRecord,
  ShownMessage,
  Violation,
  Write,
} from './history.ts'
import { mustSee, type View } from './visibility.ts'

/**
 * A fork shows what its conversation showed up to a message when it was made, and nothing that was saved behind that
 * message: whatever is edited, removed, cut or cleared in the conversation later, by whoever could know of the fork.
 */
export function* checkForks(
  log: ConversationLog,
  records: readonly HistoryRecord[],
): Iterable<Violation> {
  const forks = new Map<string, ForkRecord>()
  for (const record of records) if (record.kind === 'fork') forks.set(record.fork, record)
  for (const read of records) {
    if (read.kind !== 'branch' || read.outcome !== 'ok') continue
    const fork = forks.get(read.fork)
    if (fork === undefined) continue
    yield* checkBeyond(log, fork, read)
    if (mustSee(fork, read, log.options)) yield* checkShared(log, records, fork, read)
  }
}

/** Nothing is shown of a fork that was refused, and nothing that was saved after it was made. */
function* checkBeyond(
  log: ConversationLog,
  fork: ForkRecord,
  read: BranchRecord,
): Iterable<Violation> {
  const what = (text: string): Violation => told(text, fork, read)
  if (fork.outcome === 'none' && read.messages.length > 0) {
    yield what('was refused, and has messages')
    return
  }
  const end = fork.shown.at(-1)?.position
  const ids = new Set<string>()
  for (const { id, content, position } of read.messages) {
    if (ids.has(id)) yield what(`shows ${content} twice`)
    ids.add(id)
    const writer = log.writers.get(content)
    if (writer === undefined) yield what(`shows ${content}, which nobody wrote`)
    if (end === undefined || position === undefined || position <= end) continue
    if (isOnce(log, id)) yield what(`shows ${content}, which stands behind its last message`)
  }
}

/** A message that was saved again may have moved. */
function isOnce(log: ConversationLog, id: string): boolean {
  return (log.messages.get(id)?.appends.length ?? 0) <= 1
}

function* checkShared(
  log: ConversationLog,
  records: readonly HistoryRecord[],
  fork: ForkRecord,
  read: BranchRecord,
): Iterable<Violation> {
  const there = new Map(read.messages.map((message) => [message.id, message]))
  const kept = fork.shown.filter(({ id }) => {
    return (
      isOnce(log, id) && records.every((record) => !mayHaveChanged(log, fork, id, record, read))
    )
  })
  for (const { id, content } of kept) {
    const shown = there.get(id)
    if (shown === undefined) yield told(`lacks ${content}`, fork, read)
    else if (shown.content !== content) {
      yield told(`shows ${shown.content} instead of ${content}`, fork, read)
    }
  }
  const order = (messages: readonly ShownMessage[]): string =>
    messages
      .map(({ id }) => id)
      .filter((id) => there.has(id) && kept.some((each) => each.id === id))
      .join()
  if (order(read.messages) !== order(fork.shown)) yield told('has another order', fork, read)
}

/**
 * True unless the read before the fork had to show what this write did, or it was made by somebody who could know
 * of the fork.
 */
function mayHaveChanged(
  log: ConversationLog,
  fork: ForkRecord,
  id: string,
  record: HistoryRecord,
  read: BranchRecord,
): boolean {
  if (!isWrite(record) || record.outcome === 'none' || !concerns(log, record, id)) return false
  if (record.startMs > (read.settledMs ?? Number.POSITIVE_INFINITY)) return false
  const { process, incarnation, startMs, readMs } = fork
  const before: View = {
    process,
    incarnation,
    startMs,
    settledMs: readMs,
    complete: true,
    final: false,
  }
  if (mustSee(record, before, log.options)) return false
  return isWithoutLog(record, log.options) || !knew(record, fork, log.options)
}

/** Who does not reach the shared log can read nothing, and takes what it knows no forks of to have none. */
function isWithoutLog({ kind, copies }: Write, { commonLog = false }: CheckOptions): boolean {
  return commonLog && kind === 'clear' && copies?.includes('wal') !== true
}

function concerns(log: ConversationLog, write: Write, id: string): boolean {
  switch (write.kind) {
    case 'append':
      return log.idOf(write) === id
    case 'edit':
    case 'remove':
      return write.id === id
    case 'clear':
    case 'truncate':
      return true
    default:
      return false
  }
}

function isWrite(record: HistoryRecord): record is Write {
  return ['append', 'edit', 'remove', 'clear', 'truncate'].includes(record.kind)
}

function told(text: string, fork: ForkRecord, read: BranchRecord): Violation {
  const where = `a ${nameOf(read)} of ${fork.fork}, a fork of ${fork.conversation},`
  return { kind: 'fork', text: `${where} ${text}`, records: [fork, read] }
}

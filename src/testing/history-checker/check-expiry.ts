import type { ConversationLog } from './conversation-log.ts'
import type { GetRecord, SetRecord, Violation } from './history.ts'
import { effectEndMs } from './visibility.ts'

/** A read never shows what had expired before it began. */
export function* checkExpiry(log: ConversationLog): Iterable<Violation> {
  for (const read of log.gets) {
    const set = read.content === undefined ? undefined : log.sets.get(read.content)
    if (set?.expiresMs === undefined) continue
    if (set.expiresMs + log.options.clockToleranceMs >= read.startMs) continue
    const text = `${set.content} is shown, and had expired before the read began`
    yield { kind: 'expired', text, records: [set, read] }
  }
}

/** True when a value that is no older than this one may have stood in its place, and have expired by the read. */
export function mayHaveExpired(log: ConversationLog, latest: SetRecord, read: GetRecord): boolean {
  const { clockToleranceMs } = log.options
  return [...log.sets.values()].some(
    (set) =>
      set.outcome !== 'none' &&
      set.expiresMs !== undefined &&
      set.expiresMs - clockToleranceMs <= read.settledMs! &&
      effectEndMs(set) + clockToleranceMs >= latest.startMs,
  )
}

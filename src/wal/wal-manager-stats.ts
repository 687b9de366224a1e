import type { DatabasePlace } from '../core/places.ts'
import type { WalStats } from './wal.ts'

export interface WalManagerStats {
  /** Undefined when there is no log. */
  readonly log: WalStats | undefined
  /** Acknowledged groups that only memory owes. */
  readonly owedGroups: number
  readonly owedBytes: number
  readonly inFlight: number
  readonly lastErrors: Readonly<Record<DatabasePlace, unknown>>
}

/** Why a log takes no more. */
export function fullness({ entries, bytes, pendingEntriesMax, pendingBytesMax }: WalStats): string {
  const limits = [
    ...(pendingEntriesMax === undefined ? [] : [`${pendingEntriesMax} entries`]),
    `${pendingBytesMax} bytes`,
  ]
  return `the WAL has ${entries} entries of ${bytes} bytes that some place lacks (limit ${limits.join(' or ')})`
}

import type { PlaceStates, WritePolicy } from './write-policy.ts'

/** Two of primary, backup and log have the write. */
export const TWO_COPIES: WritePolicy = {
  atOnce: ['primary', 'wal'],
  enough: ({ primary, backup, wal }) =>
    [primary, backup, wal].filter((state) => state === 'done').length >= 2,
}

/** The log has the write; without the log both databases. */
export const LOG_FIRST: WritePolicy = {
  atOnce: ['wal'],
  enough: ({ primary, backup, wal }) => wal === 'done' || (primary === 'done' && backup === 'done'),
}

/** Both databases have the write. If one is out or overdue, the other one and the log are enough. */
export const BOTH_DATABASES: WritePolicy = {
  atOnce: ['primary', 'backup', 'wal'],
  enough: bothDatabases,
}

/** One database has judged it. */
export const ONE_DATABASE: WritePolicy = {
  atOnce: ['primary'],
  enough: ({ primary, backup }) => primary === 'done' || backup === 'done',
}

function bothDatabases({ primary, backup, wal }: PlaceStates, overdue: boolean): boolean {
  if (primary === 'done' && backup === 'done') return true
  const primaryOut = primary === 'failed' || overdue
  const backupOut = backup === 'failed' || overdue
  return wal === 'done' && ((backup === 'done' && primaryOut) || (primary === 'done' && backupOut))
}

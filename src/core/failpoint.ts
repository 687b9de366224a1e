/**
 * Named points where a test may crash, throw, delay or pause the code. In production `hit` does
 * nothing. The names are a closed list, so that a test can go through all of them.
 */
export const FAILPOINTS = [
  'wal.beforeWrite',
  'wal.afterWrite',
  'wal.beforeSync',
  'wal.afterSync',
  'wal.roll.beforeDirSync',
  'wal.meta.beforeRename',
  'wal.recover',
  'wal.adopt.afterClaim',
  'wal.erase.beforeRename',
  'wal.erase.afterRename',
  'write.afterPrimary',
  'write.afterBackup',
  'write.afterWal',
  'flush.beforeApply',
  'flush.afterApply',
  'hint.beforeRemove',
  'redis.groupPrepared',
  'redis.groupDecided',
  'erase.begun',
  'erase.beforeLog',
  'erase.beforePurge',
  'erase.beforeDone',
  'stream.beforeRemove',
  's3.beforeCommit',
  's3.afterCommit',
] as const

/** The moments that have a name. */
export type FailpointName = (typeof FAILPOINTS)[number]

/** Named moments at which a test may stop a process or make a call fail; nothing happens there otherwise. */
export interface Failpoints {
  /** May throw, or return a promise that the caller awaits. */
  hit(name: FailpointName): void | Promise<void>
}

export const noFailpoints: Failpoints = { hit: () => {} }

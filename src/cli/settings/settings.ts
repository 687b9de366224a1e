import type { ChatHistoryOptions } from '../../chat/open-chat-history.ts'
import type { DatabasePlace } from '../../core/places.ts'

/** What the command line may decide about a store. */
export type SettingName =
  'primary' | 'backup' | 'wal' | 'cache' | 'tenant' | 'read' | 'write' | 'health' | 'encryption'

export const SETTING_NAMES: readonly SettingName[] = [
  'primary',
  'backup',
  'wal',
  'cache',
  'tenant',
  'read',
  'write',
  'health',
  'encryption',
]

/** The environment variable of each setting; with `_FILE` behind it, a file that has the value. */
export const ENVIRONMENT: Readonly<Record<SettingName, string>> = {
  primary: 'EVERTHREAD_PRIMARY_URL',
  backup: 'EVERTHREAD_BACKUP_URL',
  wal: 'EVERTHREAD_WAL',
  cache: 'EVERTHREAD_CACHE_URL',
  tenant: 'EVERTHREAD_TENANT',
  read: 'EVERTHREAD_READ',
  write: 'EVERTHREAD_WRITE',
  health: 'EVERTHREAD_HEALTH',
  encryption: 'EVERTHREAD_ENCRYPTION_KEYS',
}

/** What the library opens when nobody says otherwise: an export of one place must find the same. */
export const DEFAULT_DATABASES: Readonly<Record<DatabasePlace, string>> = {
  primary: 'sqlite:./data/primary.db',
  backup: 'sqlite:./data/backup.db',
}

/** The same of the log. */
export const DEFAULT_WAL = 'file:./data/wal'

/** Settings that are still as they were given: the store checks them when it opens. */
export type Settings = Pick<ChatHistoryOptions, SettingName>

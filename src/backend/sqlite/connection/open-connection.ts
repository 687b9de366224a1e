import { resolve } from 'node:path'
import { StorageError } from '../../../core/errors.ts'
import type { Durability } from '../../replica-backend.ts'
import { openDatabaseFile } from './database-file.ts'
import type { SqliteDriver } from './driver.ts'
import type { ResolvedSqliteOptions } from './options.ts'
import { SqliteConnection } from './connection.ts'

export const MEMORY = ':memory:'

/** Longest wait for a lock inside the library, where it stops the whole process. Milliseconds. */
const BLOCKING_WAIT_MS = 25

/**
 * Pages of the log at which a commit moves them into the file itself: beside the thread that does so
 * all the time there is little left to move then, and the log starts from its beginning again.
 */
const AUTOCHECKPOINT_PAGES = 4_000

/** `PRAGMA synchronous` in the numbers that it answers with. */
const SYNCHRONOUS: readonly string[] = ['off', 'normal', 'full', 'extra']
const SYNCHRONOUS_FULL = 2

export interface SqliteSettings {
  readonly durability: Durability
  /** `sqlite_version()`. */
  readonly version: string
}

/** Opens the file, made with mode 0600 if it is new, and sets what durability depends on. */
export function openConnection(
  driver: SqliteDriver,
  options: ResolvedSqliteOptions,
): SqliteConnection {
  const database =
    options.path === MEMORY ? driver.open(MEMORY) : openDatabaseFile(driver, resolve(options.path))
  const connection = new SqliteConnection(database)
  try {
    const wait = Math.min(options.busyTimeoutMs, BLOCKING_WAIT_MS)
    connection.exec(`PRAGMA busy_timeout = ${wait}`)
    connection.exec('PRAGMA journal_mode = WAL')
    connection.exec('PRAGMA synchronous = FULL')
    if (options.threads) connection.exec(`PRAGMA wal_autocheckpoint = ${AUTOCHECKPOINT_PAGES}`)
    // What is deleted is overwritten with zeros, also in pages that are free from then on.
    connection.exec('PRAGMA secure_delete = ON')
    // On macOS fsync alone does not empty the drive's cache. Elsewhere these do nothing.
    connection.exec('PRAGMA fullfsync = ON')
    connection.exec('PRAGMA checkpoint_fullfsync = ON')
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Reads the settings back: what was set is not always what is. */
export function readSettings(connection: SqliteConnection, path: string): SqliteSettings {
  const encoding = readPragma(connection, 'encoding')
  if (encoding !== 'UTF-8') {
    throw new StorageError('UNSUPPORTED', `the SQLite file must be UTF-8, it is ${encoding}`)
  }
  const { version } = connection.get<{ version: string }>('SELECT sqlite_version() AS version')!
  return { durability: durabilityOf(connection, path), version }
}

/** True for a library older than the fix of a bug that damages files: "WAL reset", 3.51.3. */
export function isOutdated(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  return major * 1_000_000 + minor * 1_000 + patch < 3_051_003
}

function durabilityOf(connection: SqliteConnection, path: string): Durability {
  if (path === MEMORY) {
    return { durable: false, reasons: [':memory: is kept in the memory of one process'] }
  }
  const journal = String(readPragma(connection, 'journal_mode'))
  const level = Number(readPragma(connection, 'synchronous'))
  return {
    durable: journal === 'wal' && level >= SYNCHRONOUS_FULL,
    reasons: [`journal_mode=${journal}`, `synchronous=${SYNCHRONOUS[level] ?? level}`],
  }
}

function readPragma(connection: SqliteConnection, name: string): unknown {
  return connection.get<Record<string, unknown>>(`PRAGMA ${name}`)?.[name]
}

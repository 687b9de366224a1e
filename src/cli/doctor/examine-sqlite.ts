import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { loadSqliteDriver, type SqliteDriver } from '../../backend/sqlite/connection/driver.ts'
import {
  isOutdated,
  openConnection,
  readSettings,
} from '../../backend/sqlite/connection/open-connection.ts'
import {
  resolveSqliteOptions,
  type ResolvedSqliteOptions,
  type SqliteOptions,
} from '../../backend/sqlite/connection/options.ts'
import type { SqliteConnection } from '../../backend/sqlite/connection/connection.ts'
import { readProgress } from '../../backend/sqlite/search/index-tables.ts'
import { checkFile } from '../../backend/sqlite/upkeep/parts.ts'
import { readSchema } from '../../backend/sqlite/upkeep/read-schema.ts'
import type { Located } from './located.ts'
import type { Findings } from './finding.ts'
import { examineSearch } from './examine-search.ts'
import { examineSchema } from './examine-schema.ts'
import { examineDisk } from './examine-disk.ts'

/** Enough for some time, where nobody knows how much will be stored. */
const BYTES_FREE_MIN = 256 * 1024 ** 2

/** A SQLite file. It is not made where there is none. */
export async function examineSqlite(
  config: SqliteOptions,
  found: Findings,
): Promise<Located | undefined> {
  const options = resolveSqliteOptions(config)
  const driver = await loadSqliteDriver()
  if (options.path === ':memory:') {
    found.warn('not-durable', ':memory: is kept in the memory of one process', 'give a path')
    return undefined
  }
  const path = resolve(options.path)
  const disk = await examineDisk(dirname(path), BYTES_FREE_MIN, found)
  if (!existsSync(path)) {
    found.ok('connected', `SQLite (${driver.name}), ${path}`)
    found.note('new', 'the file is not there yet: it is made when the store is first opened')
  } else examineFile(driver, options, found)
  return { disk, server: undefined, database: `sqlite ${path}`, isDurable: true }
}

function examineFile(driver: SqliteDriver, options: ResolvedSqliteOptions, found: Findings): void {
  const schema = readSchema(driver, options)
  // Opening a file sets what durability depends on, and writes nothing.
  const connection = openConnection(driver, options)
  try {
    const { version, durability } = readSettings(connection, options.path)
    found.ok('connected', `SQLite ${version} (${driver.name}), ${resolve(options.path)}`)
    if (durability.durable) found.ok('durable', durability.reasons.join(', '))
    else found.warn('not-durable', durability.reasons.join(', '), 'use a local disk')
    examineVersion(version, found)
    if (examineSchema(schema, found)) {
      examineParts(connection, found)
      examineSearch(readProgress(connection), found)
    }
  } finally {
    connection.close()
  }
}

function examineParts(connection: SqliteConnection, found: Findings): void {
  const lost = checkFile(connection).map(({ name }) => name)
  if (lost.length === 0) found.ok('indexed', 'all indexes and triggers are there')
  else {
    found.warn(
      'not-indexed',
      `these are missing: ${lost.join(', ')}`,
      'everthread reconcile, which makes them anew',
    )
  }
}

function examineVersion(version: string, found: Findings): void {
  if (!isOutdated(version)) return
  found.warn(
    'too-old',
    `SQLite ${version} can damage a file that two processes write to; 3.51.3 has the fix`,
    'upgrade Node or the SQLite package, or let one process at a time use the file',
  )
}

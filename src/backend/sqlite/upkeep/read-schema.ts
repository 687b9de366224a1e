import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { SchemaState } from '../../replica-backend.ts'
import { sqliteError } from '../connection/sqlite-error.ts'
import type { SqliteDriver } from '../connection/driver.ts'
import { MIGRATION_TITLES, versionOf } from './migrations.ts'
import type { ResolvedSqliteOptions } from '../connection/options.ts'
import { SqliteConnection } from '../connection/connection.ts'

/** Which steps a file has. A file that is not there is not made. */
export function readSchema(driver: SqliteDriver, { path }: ResolvedSqliteOptions): SchemaState {
  const file = resolve(path)
  if (path === ':memory:' || !existsSync(file)) return { version: 0, migrations: MIGRATION_TITLES }
  let connection: SqliteConnection | undefined
  try {
    connection = new SqliteConnection(driver.open(file))
    return { version: versionOf(connection), migrations: MIGRATION_TITLES }
  } catch (error) {
    throw sqliteError(error, 'none')
  } finally {
    connection?.close()
  }
}

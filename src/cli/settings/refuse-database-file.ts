import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseDatabaseString } from '../../backend/connection-string.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { sqliteFile } from '../../backend/sqlite/connection/options.ts'
import { databaseSourceOf, type PlaceConfig } from '../../store/place-config.ts'
import { UsageError } from '../usage-error.ts'
import { DEFAULT_DATABASES, type Settings } from './settings.ts'

/** The file of a SQLite database, where the place is one on disk. */
export function sqlitePath(place: DatabasePlace, given: PlaceConfig): string | undefined {
  const database = databaseSourceOf(place, given)
  const config = typeof database === 'string' ? parseDatabaseString(database, place) : database
  if (config === undefined || !('type' in config) || config.type !== 'sqlite') return undefined
  const path = sqliteFile(config)
  return path === ':memory:' ? undefined : path
}

/**
 * A file that a command reads or writes must be none of its databases': even reading one would drop
 * the locks that SQLite has on it.
 *
 * @throws UsageError naming the file and the place.
 */
export async function refuseDatabaseFile(file: string, settings: Settings): Promise<void> {
  for (const place of DATABASE_PLACES) {
    const path = sqlitePath(place, settings[place] ?? DEFAULT_DATABASES[place])
    if (path === undefined) continue
    for (const end of ['', '-wal', '-shm']) {
      if (!(await isSameFile(file, path + end))) continue
      throw new UsageError(`${file} belongs to the database of the ${place}: give another file`)
    }
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  if (resolve(one) === resolve(other)) return true
  const [a, b] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)))
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev
}

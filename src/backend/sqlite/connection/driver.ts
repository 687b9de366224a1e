/*
 * The part of a synchronous SQLite library that is called here, and the search for one.
 *
 * Three libraries have it with the same names. Two of them must never open one file in one process:
 * closing a file drops the locks that the other holds. So one is chosen, once a process, its threads
 * are told which, and what is open is noted in `open-files.ts`.
 */
import { createRequire } from 'node:module'
import { messageOf, StorageError } from '../../../core/errors.ts'
import { checkMayOpen, noteOpened } from './open-files.ts'

export type SqliteValue = null | number | string | Uint8Array

export type SqliteRow = Readonly<Record<string, SqliteValue>>

export interface SqliteStatement {
  run(...parameters: readonly SqliteValue[]): { readonly changes: number | bigint }
  get(...parameters: readonly SqliteValue[]): unknown
  all(...parameters: readonly SqliteValue[]): unknown[]
}

export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): unknown
}

export interface SqliteDriver {
  /** Name of the library. */
  readonly name: string
  /** Tells it from another copy of itself: where it was found. */
  readonly library: string
  open(path: string): SqliteDatabase
}

type DatabaseClass = new (path: string) => SqliteDatabase

const MISSING =
  'SQLite needs Node 22.13 or later, or a package: run "npm install @photostructure/sqlite"'

/** From this Node-API on better-sqlite3 13 runs; before, it ends the process on the first call. */
const NODE_API_MIN = 10

let loading: Promise<SqliteDriver> | undefined

/**
 * `node:sqlite` where this Node has it, else better-sqlite3 where it is installed and fits, else
 * @photostructure/sqlite.
 *
 * @throws StorageError `UNSUPPORTED` that names the package to install.
 */
export function loadSqliteDriver(): Promise<SqliteDriver> {
  loading ??= findDriver().catch((error: unknown) => {
    // Not remembered: the package may be installed before the next try.
    loading = undefined
    throw error
  })
  return loading
}

async function findDriver(): Promise<SqliteDriver> {
  const builtIn = process.getBuiltinModule('node:sqlite') as object | undefined
  if (builtIn !== undefined) return driverOf('node:sqlite', builtIn, 'DatabaseSync')
  if (isBetterSqliteUsable()) {
    const module = await importPackage('better-sqlite3')
    if (module !== undefined) return driverOf('better-sqlite3', module, 'default')
  }
  const module = await importPackage('@photostructure/sqlite')
  if (module === undefined) throw new StorageError('UNSUPPORTED', MISSING)
  return driverOf('@photostructure/sqlite', module, 'DatabaseSync')
}

function driverOf(name: string, module: object, exported: string): SqliteDriver {
  const Database = (module as Record<string, DatabaseClass>)[exported]!
  const library = libraryOf(name)
  return {
    name,
    library,
    open(path) {
      if (path === ':memory:') return withNumberedParameters(new Database(path))
      checkMayOpen(library, path)
      const database = withNumberedParameters(new Database(path))
      const closed = noteOpened(library, path)
      const close = (): void => {
        database.close()
        closed()
      }
      return { ...database, close }
    },
  }
}

function libraryOf(name: string): string {
  try {
    return createRequire(import.meta.url).resolve(name)
  } catch {
    // Bundled: there is one of it.
    return name
  }
}

/**
 * Binds ?1, ?2 and so on by their numbers. better-sqlite3 and the `node:sqlite` of early releases of
 * Node 22 and 24 take such a parameter for a named one; all libraries agree on the plain ?.
 */
export function withNumberedParameters(database: SqliteDatabase): SqliteDatabase {
  const prepare = (sql: string): SqliteStatement => {
    const numbers = Array.from(sql.matchAll(/\?(\d+)/g), ([, number]) => Number(number))
    const statement = database.prepare(sql.replace(/\?\d+/g, '?'))
    if (numbers.length === 0) return statement
    const inOrder = (values: readonly SqliteValue[]): SqliteValue[] =>
      numbers.map((number) => values[number - 1]!)
    return {
      run: (...values) => statement.run(...inOrder(values)),
      get: (...values) => statement.get(...inOrder(values)),
      all: (...values) => statement.all(...inOrder(values)),
    }
  }
  return { exec: (sql) => database.exec(sql), prepare, close: () => database.close() }
}

/** Decided before it is loaded: the wrong one cannot be caught, it crashes the process. */
function isBetterSqliteUsable(): boolean {
  let version: string
  try {
    const require = createRequire(import.meta.url)
    version = (require('better-sqlite3/package.json') as { version: string }).version
  } catch {
    // Not installed, which is fine: it is the user's choice.
    return false
  }
  return version.startsWith('12.') || Number(process.versions['napi']) >= NODE_API_MIN
}

/** Undefined when the package is not installed. The name is a variable: the types are optional. */
async function importPackage(name: string): Promise<object | undefined> {
  try {
    return (await import(name)) as object
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return undefined
    throw new StorageError('UNSUPPORTED', `${name} cannot be loaded: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/*
 * The part of a synchronous SQLite library that is called here, and the search for one.
 *
 * Three libraries have it with the same names. Two of them must never open one file in one process:
 * closing a file drops the locks that the other holds. So one is chosen, once a process, its threads
 * are told which, and what is open is noted in `open-files.ts`.
 */
import { StorageError } from '../../../core/errors.ts'
import { nodeBuiltin } from '../../../core/node-builtin.ts'
import { isNotFound, requireFile, resolveInstalled, whyNotLoaded } from '../../import-driver.ts'
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

export interface SqliteLibrary {
  readonly name: string
  /** Tells it from another copy of itself: its file, or its name where it has none of its own. */
  readonly library: string
}

export interface SqliteDriver extends SqliteLibrary {
  open(path: string): SqliteDatabase
}

type DatabaseClass = new (path: string) => SqliteDatabase

const MISSING =
  'SQLite needs Node 22.13 or later, or a package: run "npm install @photostructure/sqlite"'

const BUILT_IN = 'node:sqlite'

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
  const builtIn = nodeBuiltin(BUILT_IN) as object | undefined
  if (builtIn !== undefined) return driverOf(BUILT_IN, BUILT_IN, builtIn)
  const found = (await findBetterSqlite()) ?? (await findPhotostructure())
  if (found === undefined) throw new StorageError('UNSUPPORTED', MISSING)
  return found
}

async function findBetterSqlite(): Promise<SqliteDriver | undefined> {
  const name = 'better-sqlite3'
  if (!isBetterSqliteUsable()) return undefined
  try {
    return installedSqlite(name) ?? driverOf(name, name, await import('better-sqlite3'))
  } catch (error) {
    return unlessNotFound(name, error)
  }
}

async function findPhotostructure(): Promise<SqliteDriver | undefined> {
  const name = '@photostructure/sqlite'
  try {
    return installedSqlite(name) ?? driverOf(name, name, await import('@photostructure/sqlite'))
  } catch (error) {
    return unlessNotFound(name, error)
  }
}

/** Before the one in a bundle, which lacks the native part. */
function installedSqlite(name: string): SqliteDriver | undefined {
  const file = resolveInstalled(name)
  return file === undefined ? undefined : driverOf(name, file, requireFile(file) as object)
}

function unlessNotFound(name: string, error: unknown): undefined {
  if (isNotFound(error, name)) return undefined
  const text = `${name} cannot be loaded: ${whyNotLoaded(error)}`
  throw new StorageError('UNSUPPORTED', text, { cause: error })
}

/** The one that another thread of this process has: two would drop each other's locks. */
export function sameSqliteDriver({ name, library }: SqliteLibrary): SqliteDriver {
  const module = name === BUILT_IN ? nodeBuiltin(BUILT_IN) : requireFile(library)
  return driverOf(name, library, module as object)
}

/** Whether another thread can have the same one: it was not made a part of a bundle. */
export function isShareable({ name, library }: SqliteLibrary): boolean {
  return name === BUILT_IN || library !== name
}

function driverOf(name: string, library: string, module: object): SqliteDriver {
  const Database = databaseClass(module)
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

/** better-sqlite3 exports the class itself, the others name it. */
function databaseClass(module: object): DatabaseClass {
  const { DatabaseSync, default: exported } = module as Record<string, DatabaseClass | undefined>
  return DatabaseSync ?? exported ?? (module as DatabaseClass)
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
  if (Number(process.versions['napi']) >= NODE_API_MIN) return true
  const file = resolveInstalled('better-sqlite3/package.json')
  return file !== undefined && (requireFile(file) as { version: string }).version.startsWith('12.')
}

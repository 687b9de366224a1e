import type { SqliteDatabase, SqliteStatement, SqliteValue } from './driver.ts'
import { sqliteError } from './sqlite-error.ts'

/** One connection with its prepared statements. Each SQL text is prepared once. */
export class SqliteConnection {
  readonly #database: SqliteDatabase
  readonly #statements = new Map<string, SqliteStatement>()

  constructor(database: SqliteDatabase) {
    this.#database = database
  }

  /** The first row. The caller names its type: it has written the SQL. */
  get<Row>(sql: string, ...parameters: readonly SqliteValue[]): Row | undefined {
    // better-sqlite3 answers undefined, others null.
    return (this.#statement(sql).get(...parameters) ?? undefined) as Row | undefined
  }

  all<Row>(sql: string, ...parameters: readonly SqliteValue[]): Row[] {
    return this.#statement(sql).all(...parameters) as Row[]
  }

  /** Returns the number of changed rows. */
  run(sql: string, ...parameters: readonly SqliteValue[]): number {
    return Number(this.#statement(sql).run(...parameters).changes)
  }

  exec(sql: string): void {
    this.#database.exec(sql)
  }

  /** Several reads that see one moment. */
  read<T>(work: () => T): T {
    return this.#transaction('BEGIN', work)
  }

  /** The lock is taken at once: a transaction that reads first could not get it later. */
  write<T>(work: () => T): T {
    return this.#transaction('BEGIN IMMEDIATE', work)
  }

  /** Moves the log into the file first, so that a copy of the file alone has everything. */
  close(): void {
    this.#statements.clear()
    try {
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch {
      // Somebody else is at it, or the disk fails: the log stays beside the file, and is read there.
    }
    this.#database.close()
  }

  #transaction<T>(begin: string, work: () => T): T {
    let committing = false
    let begun = false
    try {
      this.run(begin)
      begun = true
      const result = work()
      committing = true
      this.run('COMMIT')
      return result
    } catch (error) {
      if (begun) this.#rollBack()
      // A commit that failed may have reached the disk.
      throw sqliteError(error, committing ? 'unknown' : 'none')
    }
  }

  #rollBack(): void {
    try {
      this.run('ROLLBACK')
    } catch {
      // After some errors, such as a full disk, SQLite has rolled back by itself.
    }
  }

  #statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      this.#statements.set(sql, (statement = this.#database.prepare(sql)))
    }
    return statement
  }
}

import type { BatchCall } from '../batcher.ts'
import type { ApplyResult } from '../replica-backend.ts'
import { applyBatch } from './apply.ts'
import type { SqliteDriver } from './connection/driver.ts'
import { openConnection, readSettings, type SqliteSettings } from './connection/open-connection.ts'
import type { ResolvedSqliteOptions } from './connection/options.ts'
import type { SqliteConnection } from './connection/connection.ts'
import * as reads from './reads.ts'
import { KeyTable } from './rows/key-table.ts'
import { migrate } from './upkeep/migrations.ts'
import { mendKeys } from './upkeep/parts.ts'
import * as writes from './writes.ts'

type Work = (connection: SqliteConnection, ...args: never[]) => unknown
type Args<Of extends Work> = Parameters<Of> extends [SqliteConnection, ...infer Rest] ? Rest : never
type InTransaction = typeof reads & typeof writes
type Own = Pick<SqliteEngine, 'run' | 'checkpoint' | 'mendKeys' | 'purge'>

/** What an engine can be asked for by name; arguments and results are plain data. */
export type EngineCalls = Own & {
  [Name in keyof InTransaction]: (
    ...args: Args<InTransaction[Name]>
  ) => ReturnType<InTransaction[Name]>
}
export type EngineMethod = keyof EngineCalls

const READS: Partial<Record<string, Work>> = reads
const WRITES: Partial<Record<string, Work>> = writes

/**
 * The database over one connection. Every call runs to its end before it returns; arguments and
 * results are plain data, so that the engine could run in another thread.
 */
export class SqliteEngine {
  readonly settings: SqliteSettings
  readonly #connection: SqliteConnection
  readonly #keys: KeyTable

  /** @param identity Given to the database if it is new. */
  constructor(driver: SqliteDriver, options: ResolvedSqliteOptions, identity: string) {
    this.#connection = openConnection(driver, options)
    this.#keys = new KeyTable(this.#connection)
    try {
      this.settings = readSettings(this.#connection, options.path)
      migrate(this.#connection, identity)
    } catch (error) {
      this.#connection.close()
      throw error
    }
  }

  close(): void {
    this.#connection.close()
  }

  /** Reads and writes are a transaction each. */
  call<Method extends EngineMethod>(
    method: Method,
    ...args: Parameters<EngineCalls[Method]>
  ): ReturnType<EngineCalls[Method]>
  call(method: EngineMethod, ...args: never[]): unknown {
    const connection = this.#connection
    const [read, write] = [READS[method], WRITES[method]]
    if (read !== undefined) return connection.read(() => read(connection, ...args))
    if (write !== undefined) return connection.write(() => write(connection, ...args))
    return (this[method as keyof Own] as (...given: never[]) => unknown)(...args)
  }

  /** Moves the log into the file as far as nobody is in the way; others write meanwhile. */
  checkpoint(): void {
    this.#connection.get('PRAGMA wal_checkpoint(PASSIVE)')
  }

  /** One transaction for all calls: one commit is shared by many saves. */
  run(calls: readonly BatchCall[]): ApplyResult[] {
    try {
      return this.#connection.write(() => {
        const answers = applyBatch(this.#connection, this.#keys, calls)
        const identity = reads.identityOf(this.#connection)
        return answers.map((judged) => ({ identity, ...judged }))
      })
    } catch (error) {
      this.#keys.forget()
      throw error
    }
  }

  mendKeys(after: number): number | undefined {
    this.#keys.forget()
    return this.#connection.write(() => mendKeys(this.#connection, after))
  }

  /** False while a reader of another process still needs the log beside the file. */
  purge(): boolean {
    const answer = this.#connection.get<{ busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)')
    return answer?.busy === 0
  }
}

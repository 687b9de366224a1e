import type { Verdict } from '../../core/decide.ts'
import type { BatchCall } from '../batcher.ts'
import type { ApplyResult } from '../replica-backend.ts'
import { applyBatch } from './apply.ts'
import type { SqliteDriver } from './connection/driver.ts'
import { openSession, readSettings, type SqliteSettings } from './connection/open-session.ts'
import type { ResolvedSqliteOptions } from './connection/options.ts'
import type { SqliteSession } from './connection/session.ts'
import * as reads from './reads.ts'
import { KeyTable } from './rows/key-table.ts'
import { migrate } from './upkeep/migrations.ts'
import { mendKeys } from './upkeep/parts.ts'
import * as writes from './writes.ts'

type Work = (session: SqliteSession, ...args: never[]) => unknown
type Args<Of extends Work> = Parameters<Of> extends [SqliteSession, ...infer Rest] ? Rest : never
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
  readonly #session: SqliteSession
  readonly #keys: KeyTable

  /** @param identity Given to the database if it is new. */
  constructor(driver: SqliteDriver, options: ResolvedSqliteOptions, identity: string) {
    this.#session = openSession(driver, options)
    this.#keys = new KeyTable(this.#session)
    try {
      this.settings = readSettings(this.#session, options.path)
      migrate(this.#session, identity)
    } catch (error) {
      this.#session.close()
      throw error
    }
  }

  close(): void {
    this.#session.close()
  }

  /** Reads and writes are a transaction each. */
  call<Method extends EngineMethod>(
    method: Method,
    ...args: Parameters<EngineCalls[Method]>
  ): ReturnType<EngineCalls[Method]>
  call(method: EngineMethod, ...args: never[]): unknown {
    const session = this.#session
    const [read, write] = [READS[method], WRITES[method]]
    if (read !== undefined) return session.read(() => read(session, ...args))
    if (write !== undefined) return session.write(() => write(session, ...args))
    return (this[method as keyof Own] as (...given: never[]) => unknown)(...args)
  }

  /** Moves the log into the file as far as nobody is in the way; others write meanwhile. */
  checkpoint(): void {
    this.#session.get('PRAGMA wal_checkpoint(PASSIVE)')
  }

  /** One transaction for all calls: one commit is shared by many saves. */
  run(calls: readonly BatchCall[]): ApplyResult[] {
    try {
      return this.#session.write(() => {
        const answers: readonly Verdict[][] = applyBatch(this.#session, this.#keys, calls)
        const identity = reads.identityOf(this.#session)
        return answers.map((applied) => ({ identity, applied }))
      })
    } catch (error) {
      this.#keys.forget()
      throw error
    }
  }

  mendKeys(after: number): number | undefined {
    this.#keys.forget()
    return this.#session.write(() => mendKeys(this.#session, after))
  }

  /** False while a reader of another process still needs the log beside the file. */
  purge(): boolean {
    const answer = this.#session.get<{ busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)')
    return answer?.busy === 0
  }
}

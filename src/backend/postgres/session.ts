import { StorageError } from '../../core/errors.ts'
import { isStatementError } from './postgres-error.ts'
import type { PgClient, PgResult, PgStatement } from './pg-types.ts'

export interface StatementSettings {
  /** Milliseconds. Default: that of the session. */
  readonly timeoutMs?: number
  /**
   * For rows that the index of blocks (BRIN) finds, which is read by bitmaps only. Where they are a
   * last resort, as sequential scans are, the planner takes either, and with the latter it reads
   * the whole table for a few rows.
   */
  readonly byBlocks?: boolean
}

/** One call's use of one connection. It ends with the call: by success, failure or deadline. */
export class Session {
  /** True once a statement was sent whose success commits. */
  committing = false
  /** True once something was committed: a later failure does not undo it. */
  committed = false
  /** True when the connection may be in an unknown state: it is destroyed, not used again. */
  broken = false
  readonly #client: PgClient
  #inTransaction = false

  constructor(client: PgClient) {
    this.#client = client
  }

  /** A statement that only reads, or one inside `transaction`. */
  async query(statement: PgStatement): Promise<PgResult> {
    if (this.broken) throw new StorageError('UNAVAILABLE', 'PostgreSQL: the connection is gone')
    try {
      return await ask(this.#client, statement)
    } catch (error) {
      if (!isStatementError(error)) this.broken = true
      throw error
    }
  }

  /** A statement that only reads, with settings of its own. */
  async queryWith(
    { timeoutMs, byBlocks = false }: StatementSettings,
    statement: PgStatement,
  ): Promise<PgResult> {
    const settings = [
      ...(timeoutMs === undefined ? [] : [`statement_timeout = ${Math.ceil(timeoutMs)}`]),
      ...(byBlocks ? ['enable_bitmapscan = on'] : []),
    ]
    return await this.transaction(
      async () => {
        await this.query({ text: settings.map((text) => `SET LOCAL ${text}`).join('; ') })
        return await this.query(statement)
      },
      () => true,
    )
  }

  /** A single statement that writes: its success is its commit. */
  async write(statement: PgStatement): Promise<PgResult> {
    this.committing = true
    try {
      const result = await this.query(statement)
      this.committed = true
      return result
    } catch (error) {
      // The server undid it and said so.
      if (isStatementError(error)) this.committing = false
      throw error
    }
  }

  /** Commits what `work` did, or nothing of it when it fails or `isVain` says so. */
  async transaction<T>(
    work: () => Promise<T>,
    isVain: (result: T) => boolean = () => false,
  ): Promise<T> {
    await this.query({ text: 'BEGIN' })
    this.#inTransaction = true
    let result: T
    try {
      result = await work()
    } catch (error) {
      await this.#rollback()
      throw error
    }
    if (isVain(result)) {
      await this.#rollback()
      return result
    }
    await this.write({ text: 'COMMIT' })
    this.#inTransaction = false
    return result
  }

  /** True when the connection must not be used again. */
  get spoilt(): boolean {
    return this.broken || this.#inTransaction
  }

  /** Failing to roll back is no failure of its own: the connection is destroyed and that undoes. */
  async #rollback(): Promise<void> {
    if (this.broken) return
    try {
      await ask(this.#client, { text: 'ROLLBACK' })
      this.#inTransaction = false
    } catch {
      this.broken = true
    }
  }
}

/**
 * By callback. The rows of a promise that `pg` makes itself mostly outlive the young generation of the
 * heap, though nobody has them any more, and are copied meanwhile (docs/decisions/0019).
 */
async function ask(client: PgClient, statement: PgStatement): Promise<PgResult> {
  return await new Promise<PgResult>((resolve, reject) => {
    client.query(statement, (error, result) => (error ? reject(error) : resolve(result)))
  })
}

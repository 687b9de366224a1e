import { StorageError } from '../../../core/errors.ts'
import { destroySocket } from './pool.ts'
import { isStatementError } from './postgres-error.ts'
import type { PgClient, PgResult, PgStatement } from './pg-types.ts'

/** What a statement of a pooled session is run with. */
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

/** How a connection's session can be used. */
export interface SessionUse {
  /** True when nobody else uses the session, now or later: its settings may be changed. */
  readonly isOurs: boolean
  /**
   * SQL of `localSettings` in a session that others may share: each transaction begins with it, a statement
   * alone gets a transaction of its own, and no statement has a name.
   */
  readonly local: string | undefined
}

/** One call's use of one connection. It ends with the call: by success, failure or deadline. */
export class Session {
  /** True once a statement was sent whose success commits. */
  committing = false
  /** True once something was committed: a later failure does not undo it. */
  committed = false
  /** True when the connection may be in an unknown state: it is destroyed, not used again. */
  broken = false
  use: SessionUse = { isOurs: false, local: undefined }
  readonly #client: PgClient
  #inTransaction = false
  #released = false

  constructor(client: PgClient) {
    this.#client = client
  }

  /** A statement that only reads, or one inside `transaction`. */
  async query(statement: PgStatement): Promise<PgResult> {
    if (this.use.local === undefined || this.#inTransaction) return await this.#send(statement)
    return await this.transaction(
      () => this.#send(statement),
      () => true,
    )
  }

  /** VACUUM, which no transaction may be around. In a session of ours it has the caller's limit only. */
  async queryAlone(statement: PgStatement): Promise<PgResult> {
    if (!this.use.isOurs) return await this.#send(statement)
    await this.#send({ text: 'SET statement_timeout = 0' })
    try {
      return await this.#send(statement)
    } finally {
      if (!this.broken) await this.#send({ text: 'RESET statement_timeout' })
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
    if (this.use.local === undefined) return await this.#commit(statement)
    return await this.transaction(() => this.#send(statement))
  }

  /** Commits what `work` did, or nothing of it when it fails or `isVain` says so. */
  async transaction<T>(
    work: () => Promise<T>,
    isVain: (result: T) => boolean = () => false,
  ): Promise<T> {
    // Set before it is sent: a connection on which it failed half-way is not used again.
    this.#inTransaction = true
    let result: T
    try {
      await this.#begin()
      result = await work()
    } catch (error) {
      await this.#rollback()
      throw error
    }
    if (isVain(result)) {
      await this.#rollback()
      return result
    }
    await this.#commit({ text: 'COMMIT' })
    this.#inTransaction = false
    return result
  }

  /** Gives the connection back, once; one that must not be used again is ended. */
  release(): void {
    if (this.#released) return
    this.#released = true
    const isSpoilt = this.broken || this.#inTransaction
    this.#client.release(isSpoilt)
    if (isSpoilt) destroySocket(this.#client)
  }

  /** Reads of a standby would be answered from the past. The next connection may reach the primary. */
  refuseStandby(): never {
    this.broken = true
    throw new StorageError('UNAVAILABLE', 'PostgreSQL: the server is a standby, in recovery')
  }

  async #begin(): Promise<void> {
    const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED'
    if (this.use.local === undefined) {
      await this.#send({ text: begin })
      return
    }
    // Several statements in one text have a result each.
    const results = [await this.#send({ text: `${begin}; ${this.use.local}` })].flat()
    if (results.at(-1)!.rows[0]!['standby'] === true) this.refuseStandby()
  }

  async #commit(statement: PgStatement): Promise<PgResult> {
    this.committing = true
    try {
      const result = await this.#send(statement)
      this.committed = true
      return result
    } catch (error) {
      // The server undid it and said so.
      if (isStatementError(error)) this.committing = false
      throw error
    }
  }

  async #send(statement: PgStatement): Promise<PgResult> {
    if (this.broken) throw new StorageError('UNAVAILABLE', 'PostgreSQL: the connection is gone')
    const sent = this.use.local === undefined ? statement : withoutName(statement)
    try {
      return await ask(this.#client, sent)
    } catch (error) {
      if (!isStatementError(error)) this.broken = true
      throw error
    }
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

function withoutName({ text, values }: PgStatement): PgStatement {
  return values === undefined ? { text } : { text, values }
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

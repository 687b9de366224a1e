/*
 * The part of the `pg` package that is called. A pool of the application's own fits it too, and so
 * does any other driver with this shape.
 */

/** A statement as the driver takes it. */
export interface PgStatement {
  /** A named statement is prepared once a connection. */
  readonly name?: string
  readonly text: string
  readonly values?: unknown[]
}

/** Rows by column name; 64-bit integers are strings. */
export interface PgResult {
  readonly rows: Record<string, unknown>[]
}

/** Called once: with an error, or without one and the result. */
export type PgAnswer = (error: Error | null | undefined, result: PgResult) => void

/** A connection, lent by the pool. */
export interface PgClient {
  /** The server's process as the connection was told at its start; a pooler tells something else. */
  readonly processID?: number | null
  query(statement: PgStatement, answer: PgAnswer): void
  /** Gives the connection back; `true` destroys it. */
  release(destroy?: boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  once(event: 'end', listener: () => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'end', listener: () => void): unknown
}

/** A pool of connections, as `new pg.Pool()` makes it. */
export interface PgPool {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
  connect(): Promise<PgClient>
  end(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'connect', listener: (client: PgClient) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'connect', listener: (client: PgClient) => void): unknown
}

import { Deadline, deadlineOf } from '../../../core/deadline.ts'
import type { Env, Timer } from '../../../core/env.ts'
import { isStorageError, StorageError, type Effect } from '../../../core/errors.ts'
import { backoffMs } from '../../../core/time.ts'
import { checkSignal } from '../../check-signal.ts'
import type { CallOptions } from '../../replica-backend.ts'
import { CLIENT_GRACE_MS, type ResolvedPostgresOptions } from './options.ts'
import type { PgClient, PgPool } from './pg-types.ts'
import { destroySocket, openPool } from './pool.ts'
import { postgresError } from './postgres-error.ts'
import { Session, type SessionUse } from './session.ts'
import { prepareSession, type ServerSettings } from './server-settings.ts'
import { ConnectionQueue } from './connection-queue.ts'

const BACKOFF = { firstMs: 100, maxMs: 5_000 }

/** Connections, and the calls that wait for one. */
export interface PostgresPoolState {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
}

/** One call in progress: what is needed to end it from outside. */
interface Call {
  session: Session | undefined
  ended: boolean
}

/**
 * Connections made safe. Each call has a deadline of its own and at most one connection; a call
 * that is not answered in time ends, and its connection is destroyed. An idle connection that the
 * server drops is replaced, and a server that is away is looked for in the background.
 */
export class PostgresDriver {
  readonly #env: Env
  readonly #options: ResolvedPostgresOptions
  readonly #pool: PgPool
  readonly #queue: ConnectionQueue
  readonly #uses = new WeakMap<PgClient, SessionUse>()
  readonly #watched = new WeakSet<PgClient>()
  /** Each with what is listening for its end. */
  readonly #clients = new Map<PgClient, () => void>()
  readonly #calls = new Set<Call>()
  #settings: ServerSettings | undefined
  #reachable = false
  #closed = false
  #retry: Timer | undefined

  private constructor(env: Env, options: ResolvedPostgresOptions, pool: PgPool) {
    this.#env = env
    this.#options = options
    this.#pool = pool
    const { given, max, acquireTimeoutMs } = options.pool
    this.#queue = new ConnectionQueue(env, given === undefined ? max : Infinity, acquireTimeoutMs)
    pool.on('error', this.#onPoolError)
    pool.on('connect', this.#onConnect)
  }

  /** Makes the pool. It does not connect yet. */
  static async open(env: Env, options: ResolvedPostgresOptions): Promise<PostgresDriver> {
    return new PostgresDriver(env, options, options.pool.given ?? (await openPool(options)))
  }

  /** True when the server answered the last time it was asked. */
  get reachable(): boolean {
    return this.#reachable
  }

  /** Settings of the newest connection. */
  get settings(): ServerSettings | undefined {
    return this.#settings
  }

  get poolState(): PostgresPoolState {
    const { totalCount, idleCount, waitingCount } = this.#pool
    return { totalCount, idleCount, waitingCount: waitingCount + this.#queue.waiting }
  }

  /**
   * Runs `work` with one connection. Rejects with a `StorageError` at the deadline at the latest;
   * its effect is `unknown` only when a commit was under way.
   */
  async use<T>(
    operation: string,
    options: CallOptions,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    checkSignal(options.signal)
    const defaultMs = this.#options.statementTimeoutMs + CLIENT_GRACE_MS
    const deadline = deadlineOf(this.#env, options, defaultMs)
    const call: Call = { session: undefined, ended: false }
    return await deadline.wait(this.#run(call, operation, work), () => {
      const effect: Effect = call.session?.committing === true ? 'unknown' : 'none'
      if (!deadline.isAborted) this.#lost()
      this.#destroy(call)
      return Promise.reject(deadline.error('PostgreSQL', { effect, operation }))
    })
  }

  /** Ends all connections: those in use when their call ends, or at the deadline. */
  async close(): Promise<void> {
    this.#closed = true
    this.#reachable = false
    this.#retry?.cancel()
    await new Deadline(this.#env, this.#options.disconnectTimeoutMs).wait(
      this.#drain(),
      async () => {
        for (const call of this.#calls) this.#destroy(call)
        if (this.#options.pool.given !== undefined) return
        for (const client of this.#clients.keys()) destroySocket(client)
      },
    )
  }

  async #drain(): Promise<void> {
    await this.#queue.close()
    this.#pool.off('error', this.#onPoolError)
    this.#pool.off('connect', this.#onConnect)
    // A pool of the application's own is left open, and nothing on its connections.
    if (this.#options.pool.given !== undefined) {
      for (const [client, onEnd] of this.#clients) {
        client.off('error', ignore)
        client.off('end', onEnd)
      }
      return
    }
    this.#pool.on('error', ignore)
    await this.#pool.end()
    await Promise.all([...this.#clients.keys()].map((client) => ended(client)))
  }

  async #run<T>(call: Call, operation: string, work: (session: Session) => Promise<T>): Promise<T> {
    const release = await this.#queue.take(() => call.ended)
    this.#calls.add(call)
    try {
      const result = await work(await this.#acquire(call))
      this.#found()
      return result
    } catch (error) {
      const { committing = false, committed = false } = call.session ?? {}
      const failure = postgresError(error, { operation, committing, committed })
      const unreached = call.session === undefined || call.session.broken
      if (failure.code === 'UNAVAILABLE' && unreached) this.#lost()
      throw failure
    } finally {
      call.session?.release()
      this.#calls.delete(call)
      release()
    }
  }

  async #acquire(call: Call): Promise<Session> {
    const client = await this.#pool.connect()
    this.#watch(client)
    if (call.ended) {
      client.release()
      throw new StorageError('TIMEOUT', 'the call ended before a connection was free')
    }
    const session = (call.session = new Session(client))
    const use = this.#uses.get(client)
    if (use !== undefined) session.use = use
    else {
      this.#settings = await prepareSession(session, client.processID, this.#options)
      this.#uses.set(client, session.use)
    }
    return session
  }

  /** Ends the call's connection at once: what the server still does with it is its own affair. */
  #destroy(call: Call): void {
    call.ended = true
    if (call.session === undefined) return
    call.session.broken = true
    call.session.release()
  }

  /** A connection without an error listener ends the process when the server drops it. */
  #watch(client: PgClient): void {
    if (this.#watched.has(client)) return
    this.#watched.add(client)
    const onEnd = (): void => void this.#clients.delete(client)
    this.#clients.set(client, onEnd)
    client.on('error', ignore)
    client.once('end', onEnd)
  }

  /** Before the pool hands it out: an error may stand right behind the server's greeting. */
  readonly #onConnect = (client: PgClient): void => this.#watch(client)

  readonly #onPoolError = (error: Error): void => {
    this.#env.logger.debug({ error: error.message }, 'PostgreSQL dropped an idle connection')
    if (this.#pool.totalCount === 0) this.#lost()
  }

  #found(): void {
    this.#reachable = true
    this.#retry?.cancel()
    this.#retry = undefined
  }

  /** Looks for the server until it answers, so that `reachable` becomes true by itself. */
  #lost(): void {
    this.#reachable = false
    if (this.#retry === undefined && !this.#closed) this.#lookAgain(0)
  }

  #lookAgain(attempt: number): void {
    this.#retry = this.#env.setTimer(backoffMs(this.#env, attempt, BACKOFF), () => {
      const timeoutMs = this.#options.connectTimeoutMs
      this.use('ping', { timeoutMs }, (session) => session.query({ text: 'SELECT 1' })).catch(
        (error: unknown) => {
          if (!isStorageError(error, 'CLOSED') && !this.#closed) this.#lookAgain(attempt + 1)
        },
      )
    })
  }
}

function ignore(): void {
  // Whoever uses the connection hears of it by its query.
}

async function ended(client: PgClient): Promise<void> {
  await new Promise<void>((resolve) => client.once('end', resolve))
}

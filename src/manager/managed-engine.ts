import { isStorageError, StorageConnectionError, StorageError } from '../core/errors.ts'
import { Connection, type Connectable, type ConnectionOptions } from './connection.ts'

/** An engine that says what it is. */
export interface NamedEngine extends Connectable {
  getBackendType(): string
}

/** One engine, and what may stand in for it. */
export interface ManagedEngineOptions<Engine> extends ConnectionOptions<Engine> {
  /** The engine that was asked for. */
  readonly type: string
  /** Makes what stands in when the engine does not connect; without it `connect` rejects. */
  readonly createFallback?: () => Engine
  /** Whether a later `connect` tries the real engine again while the fallback serves. */
  readonly retryBehindFallback: boolean
}

/** What is known about one engine of a `StorageManager`. */
export interface BackendInfo {
  /** The engine that was asked for, also while a fallback serves. */
  readonly type: string
  readonly connected: boolean
  /** True while memory stands in for it. */
  readonly fallback: boolean
  /** Attempts of the manager; an engine's own reconnects are not counted. */
  readonly connectionAttempts: number
  /** Why the last attempt failed, without passwords; absent once one has succeeded. */
  readonly lastError?: string
}

/** One engine of a `StorageManager`: the connection, and what stands in for it. */
export class ManagedEngine<Engine extends NamedEngine> {
  readonly #options: ManagedEngineOptions<Engine>
  readonly #connection: Connection<Engine>
  #fallback: Engine | undefined

  constructor(options: ManagedEngineOptions<Engine>) {
    this.#options = options
    this.#connection = new Connection(options)
  }

  /** True while the fallback serves. */
  get fallback(): boolean {
    return this.#fallback !== undefined && this.#connection.live === undefined
  }

  /** The engine that serves now, or undefined. */
  get live(): Engine | undefined {
    return this.#connection.live ?? this.#fallback
  }

  /**
   * The engine that serves now.
   *
   * @throws StorageError `CLOSED` after `disconnect`, else `CONNECTION`; both with effect `none`.
   */
  current(): Engine {
    const engine = this.live
    if (engine !== undefined) return engine
    const { name } = this.#options
    if (this.#connection.closed) throw new StorageError('CLOSED', `${name} is closed`)
    const reason = this.#connection.lastError ?? `${name} is not connected yet`
    throw new StorageConnectionError(name, reason, { effect: 'none' })
  }

  isConnected(): boolean {
    return this.live?.isConnected() ?? false
  }

  getBackendType(): string {
    return this.live?.getBackendType() ?? this.#options.type
  }

  async connect(): Promise<void> {
    const { createFallback, retryBehindFallback } = this.#options
    if (this.fallback && !retryBehindFallback) return
    try {
      await this.#connection.connect()
    } catch (error) {
      // A wrong configuration is not cured by memory, and a disconnect is not an outage.
      if (createFallback === undefined || !isStorageError(error, 'CONNECTION')) throw error
      await this.#fallBack(createFallback, error)
      return
    }
    await this.#endFallback()
  }

  async disconnect(): Promise<void> {
    await Promise.all([this.#connection.disconnect(), this.#endFallback()])
  }

  info(): BackendInfo {
    const { attempts, lastError } = this.#connection
    return {
      type: this.#options.type,
      connected: this.isConnected(),
      fallback: this.fallback,
      connectionAttempts: attempts,
      ...(lastError !== undefined && { lastError }),
    }
  }

  async #fallBack(create: () => Engine, error: StorageError): Promise<void> {
    if (this.#fallback !== undefined) return
    const { env, name } = this.#options
    const fallback = create()
    this.#fallback = fallback
    env.logger.warn(
      { error: error.message },
      `${name}: memory stands in for it, and nothing saved there will last`,
    )
    await fallback.connect()
  }

  async #endFallback(): Promise<void> {
    const fallback = this.#fallback
    this.#fallback = undefined
    await fallback?.disconnect()
  }
}

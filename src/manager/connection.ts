import type { Env } from '../core/env.ts'
import {
  isPermanent,
  isStorageError,
  messageOf,
  StorageConnectionError,
  StorageError,
} from '../core/errors.ts'
import { redactText } from '../core/redact.ts'
import { withDeadline } from '../core/time.ts'

/** What can be connected: a database or a cache. */
export interface Connectable {
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
}

/** How one engine is made and how long it may take. */
export interface ConnectionOptions<Engine> {
  readonly env: Env
  /** Names it in messages: `primary database`. */
  readonly name: string
  /** Makes the engine: at the first `connect`, and at the first one after a `disconnect`. */
  readonly create: () => Promise<Engine>
  readonly connectTimeoutMs: number
  readonly disconnectTimeoutMs: number
  /** Texts that must not appear in messages. */
  readonly secrets: readonly string[]
}

/**
 * One engine from the first connect to the last disconnect. Concurrent calls of `connect` share one
 * attempt, and a failed one may be repeated. Once it is `live` the engine reconnects by itself.
 */
export class Connection<Engine extends Connectable> {
  readonly #options: ConnectionOptions<Engine>
  #engine: Engine | undefined
  #live: Engine | undefined
  /** False when the engine was handed in connected: whoever connected it disconnects it. */
  #owned = false
  #connecting: Promise<void> | undefined
  #disconnecting: Promise<void> | undefined
  /** The engine's own attempt. It outlives a deadline, and the next `connect` waits for it. */
  #opening: Promise<Engine> | undefined
  #epoch = 0
  #closed = false
  #attempts = 0
  #lastError: string | undefined

  constructor(options: ConnectionOptions<Engine>) {
    this.#options = options
  }

  /** The engine, once it has been connected. */
  get live(): Engine | undefined {
    return this.#live
  }

  /** True after `disconnect`, until the next `connect`. */
  get closed(): boolean {
    return this.#closed
  }

  get attempts(): number {
    return this.#attempts
  }

  /** Why the last attempt failed, without passwords; undefined once one has succeeded. */
  get lastError(): string | undefined {
    return this.#lastError
  }

  /**
   * @throws StorageError `CONNECTION` with effect `none`; `INVALID_ARGUMENT` and `UNSUPPORTED` for
   * what no repetition will cure.
   */
  connect(): Promise<void> {
    if (this.#connecting !== undefined) return this.#connecting
    const connecting = this.#connect().finally(() => {
      if (this.#connecting === connecting) this.#connecting = undefined
    })
    this.#connecting = connecting
    return connecting
  }

  /**
   * Never rejects and ends within the deadline; what is still running then is left behind and
   * logged. May be called again.
   */
  disconnect(): Promise<void> {
    this.#disconnecting ??= this.#disconnect().finally(() => {
      this.#disconnecting = undefined
    })
    return this.#disconnecting
  }

  async #connect(): Promise<void> {
    await this.#disconnecting
    this.#closed = false
    if (this.#live !== undefined) return
    const { env, name, connectTimeoutMs } = this.#options
    const epoch = this.#epoch
    this.#attempts++
    try {
      this.#opening ??= this.#open(epoch)
      const engine = await withDeadline(env, connectTimeoutMs, name, this.#opening)
      this.#checkEpoch(epoch)
      this.#live = engine
      this.#lastError = undefined
    } catch (error) {
      const failure = this.#failure(error)
      if (epoch === this.#epoch) this.#lastError = failure.message
      throw failure
    }
  }

  async #open(epoch: number): Promise<Engine> {
    try {
      const engine = this.#engine ?? (await this.#options.create())
      this.#checkEpoch(epoch)
      this.#engine = engine
      if (!engine.isConnected()) {
        this.#owned = true
        await engine.connect()
      }
      return engine
    } finally {
      if (epoch === this.#epoch) this.#opening = undefined
    }
  }

  async #disconnect(): Promise<void> {
    const { env, name, disconnectTimeoutMs } = this.#options
    const engine = this.#owned ? this.#engine : undefined
    const opening = this.#opening
    this.#epoch++
    this.#closed = true
    this.#live = this.#engine = this.#opening = this.#connecting = undefined
    this.#owned = false
    try {
      await withDeadline(env, disconnectTimeoutMs, `closing ${name}`, end(engine, opening))
    } catch (error) {
      env.logger.warn({ error: this.#redact(messageOf(error)) }, `${name} did not close cleanly`)
    }
  }

  #checkEpoch(epoch: number): void {
    if (epoch === this.#epoch) return
    throw new StorageError('CLOSED', `${this.#options.name} was disconnected while it connected`)
  }

  #failure(error: unknown): StorageError {
    if (isStorageError(error)) {
      const { code } = error
      if (code === 'CLOSED' || code === 'INVALID_ARGUMENT' || code === 'UNSUPPORTED') return error
    }
    const { name } = this.#options
    const message = this.#redact(messageOf(error))
    // At the deadline it is our own.
    const text = message.startsWith(name) ? message : `${name}: ${message}`
    const options = { effect: 'none', cause: error, permanent: isPermanent(error) } as const
    return new StorageConnectionError(name, text, options)
  }

  #redact(text: string): string {
    return redactText(text, this.#options.secrets)
  }
}

async function end(
  engine: Connectable | undefined,
  opening: Promise<Connectable> | undefined,
): Promise<void> {
  await engine?.disconnect()
  // A connect that was under way may have succeeded after the disconnect.
  const late = await opening?.catch(() => undefined)
  if (late !== undefined && late === engine && late.isConnected()) await late.disconnect()
}

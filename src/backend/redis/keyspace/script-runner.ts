import type { Env } from '../../../core/env.ts'
import { StorageError } from '../../../core/errors.ts'
import { awakeSleep } from '../../../core/keep-alive.ts'
import { checkSignal } from '../../check-signal.ts'
import type { CallOptions } from '../../replica-backend.ts'
import { withDeadline } from '../../../core/time.ts'
import type { RedisCaller, ScriptCall } from '../connection/caller.ts'
import { replyCode, replyRest } from '../connection/redis-error.ts'
import type { RedisRouter } from '../connection/router.ts'
import type { OpenDatabase, RedisSchema } from './schema.ts'

/** Pause before a key is read again that a group over several shards holds. Milliseconds. */
const LOCK_PAUSE_MS = 5

/** Pause before a call is made again whose slot is being moved. Milliseconds. */
const MOVING_PAUSE_MS = 25

/** An answer, and the database that gave it. */
export interface Answer {
  readonly identity: string
  readonly reply: readonly unknown[]
}

export interface ScriptRunnerOptions {
  readonly env: Env
  readonly router: RedisRouter
  readonly caller: RedisCaller
  readonly schema: RedisSchema
  readonly timeoutMs: number
  /** Ends what holds a key, if it can; given `group home`. */
  readonly unlock: (runner: ScriptRunner, lock: string) => Promise<void>
}

/** Runs scripts on the database that is there now, and looks at it again when that has changed. */
export class ScriptRunner {
  readonly #options: ScriptRunnerOptions
  #opened: OpenDatabase | undefined
  #opening: Promise<OpenDatabase> | undefined
  #closed = false

  constructor(options: ScriptRunnerOptions) {
    this.#options = options
  }

  /** True when a call may be sent right now. */
  get ready(): boolean {
    return !this.#closed && this.#opened !== undefined && this.#options.router.ready
  }

  close(): void {
    this.#closed = true
    this.#opened = undefined
    this.#opening = undefined
  }

  /** The database as it is now; looked at once for each epoch of connections. */
  async open({ timeoutMs, signal }: CallOptions = {}): Promise<OpenDatabase> {
    this.#check()
    checkSignal(signal)
    if (this.#opened?.epoch === this.#options.router.epoch) return this.#opened
    const { env } = this.#options
    const limitMs = timeoutMs ?? this.#options.timeoutMs
    const context = { effect: 'none', operation: 'open', signal } as const
    return await withDeadline(env, limitMs, 'Redis', this.#look(), context)
  }

  /** Runs a script that is made for the database as it stands; again when it has changed meanwhile. */
  async ask(
    make: (database: OpenDatabase) => ScriptCall,
    options: CallOptions = {},
  ): Promise<Answer> {
    const { env, caller } = this.#options
    const limitMs = options.timeoutMs ?? this.#options.timeoutMs
    const deadline = env.monotonic() + limitMs
    for (;;) {
      const leftMs = Math.max(1, deadline - env.monotonic())
      const left = { ...options, timeoutMs: leftMs }
      const database = await this.open(left)
      this.#check()
      try {
        const call = { ...make(database), epoch: database.epoch }
        return { identity: database.identity, reply: await caller.run(call, left) }
      } catch (error) {
        await this.#again(error, database, env.monotonic() < deadline)
      }
      checkSignal(options.signal)
    }
  }

  /** Gives the database another identity, as if it had been lost: `why` says what has. */
  async replace(why: string, options: CallOptions = {}): Promise<void> {
    const database = await this.open(options)
    await this.#options.schema.replace(database, why)
    if (this.#opened === database) this.#opened = undefined
  }

  /** Waits until the lock is gone, or has been for long enough to be broken. */
  async unlock(lock: string): Promise<void> {
    await this.#options.unlock(this, lock)
    await awakeSleep(this.#options.env, LOCK_PAUSE_MS * (1 + this.#options.env.random()))
  }

  /** Returns when the call may be tried again. Such a call has had no effect. */
  async #again(error: unknown, database: OpenDatabase, hasTime: boolean): Promise<void> {
    const code = replyCode(error)
    if (code !== 'IDENTITY' && code !== 'LOCKED' && code !== 'TRYAGAIN') throw error
    if (!hasTime) {
      const text = `Redis: gave up waiting: ${code} ${replyRest(error)}`
      throw new StorageError('TIMEOUT', text, { effect: 'none', cause: error })
    }
    if (code === 'LOCKED') await this.unlock(replyRest(error))
    // A slot of a Cluster is being moved: its keys are on two servers until that has ended.
    else if (code === 'TRYAGAIN') await awakeSleep(this.#options.env, MOVING_PAUSE_MS)
    else if (this.#opened === database) this.#opened = undefined
  }

  async #look(): Promise<OpenDatabase> {
    this.#opening ??= this.#options.schema.open().finally(() => (this.#opening = undefined))
    const opened = await this.#opening
    this.#check()
    this.#opened = opened
    return opened
  }

  #check(): void {
    if (this.#closed) throw new StorageError('CLOSED', 'Redis backend is not connected')
  }
}

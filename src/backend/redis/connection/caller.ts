import type { Env } from '../../../core/env.ts'
import type { Effect } from '../../../core/errors.ts'
import { withDeadline } from '../../../core/time.ts'
import { checkSignal } from '../../check-signal.ts'
import type { CallOptions } from '../../replica-backend.ts'
import { redisError, replyCode } from './redis-error.ts'
import type { RedisRouter } from './router.ts'
import type { RedisScript } from '../scripts/script.ts'

/** One call of a script. Its first key decides where it runs. */
export interface ScriptCall {
  readonly script: RedisScript
  readonly keys: readonly string[]
  readonly args: readonly string[]
  /** True when the script may change something. */
  readonly writes: boolean
  /** The connection's epoch that the caller has checked the data of. */
  readonly epoch?: number
}

/** Codes of calls that had no effect and that the runner makes again. */
const TRY_LATER: ReadonlySet<string> = new Set(['IDENTITY', 'LOCKED', 'TRYAGAIN'])
/** Codes that mean: another server has taken over. */
const MISLED: ReadonlySet<string> = new Set(['READONLY', 'MASTERDOWN'])

/** Runs scripts by their hash, each within a deadline of its own. */
export class RedisCaller {
  readonly #env: Env
  readonly #router: RedisRouter
  readonly #timeoutMs: number

  constructor(env: Env, router: RedisRouter, timeoutMs: number) {
    this.#env = env
    this.#router = router
    this.#timeoutMs = timeoutMs
  }

  /**
   * Rejects with an error of the server as it came when its code says that the call may be made
   * again (`IDENTITY`, `LOCKED`, `TRYAGAIN`), with a `StorageError` otherwise.
   */
  async run(call: ScriptCall, options: CallOptions = {}): Promise<readonly unknown[]> {
    const effect: Effect = call.writes ? 'unknown' : 'none'
    const { signal, timeoutMs = this.#timeoutMs } = options
    checkSignal(signal)
    const context = { effect, operation: call.script.name, signal }
    const reply = await withDeadline(this.#env, timeoutMs, 'Redis', this.#evaluate(call), context)
    return Array.isArray(reply) ? reply : [reply]
  }

  async #evaluate(call: ScriptCall): Promise<unknown> {
    const { script, keys, args } = call
    const rest = [String(keys.length), ...keys, ...args]
    try {
      return await this.#send(call, ['EVALSHA', script.sha, ...rest])
    } catch (error) {
      // The server has not run it: it was started again, or never had it.
      if (replyCode(error) !== 'NOSCRIPT') throw this.#known(error, call)
    }
    try {
      return await this.#send(call, ['EVAL', script.text, ...rest])
    } catch (error) {
      throw this.#known(error, call)
    }
  }

  async #send({ keys, epoch }: ScriptCall, args: readonly string[]): Promise<unknown> {
    if (epoch !== undefined && epoch !== this.#router.epoch) {
      throw new Error('IDENTITY must be looked at again: there is a new connection')
    }
    return await this.#router.send(keys[0]!, args)
  }

  #known(error: unknown, { script, keys, writes }: ScriptCall): Error {
    const code = replyCode(error)
    if (code !== undefined && TRY_LATER.has(code)) return error as Error
    if (code !== undefined && MISLED.has(code)) this.#router.misled(keys[0]!, error)
    return redisError(error, script.name, writes)
  }
}

import { refuseEviction } from '../../backend/redis/connection/eviction.ts'
import { replyCode, redisError } from '../../backend/redis/connection/redis-error.ts'
import type { RedisRouter } from '../../backend/redis/connection/router.ts'
import { rawScript } from '../../backend/redis/scripts/script.ts'
import type { Env } from '../../core/env.ts'
import { isStorageError, messageOf, StorageError } from '../../core/errors.ts'
import { withDeadline } from '../../core/time.ts'
import { partitionBase } from './layout.ts'
import { COMMON_LUA } from './scripts/common-lua.ts'
import { LOADED, type StreamScript } from './scripts/scripts.ts'

export interface StreamLinkOptions {
  readonly env: Env
  readonly router: RedisRouter
  readonly keyPrefix: string
  readonly timeoutMs: number
  /** Looks at the partitions after each new connection, before anything else is sent over it. */
  readonly look: (link: StreamLink) => Promise<void>
}

/**
 * Calls of the log's scripts, each within a deadline of its own and sent at most once.
 *
 * The text of every script names the run of the server that it is for. A server that was started
 * again, or took another one's place, does not know it: such a call fails without effect, and the
 * partitions are looked at before the next one. So nothing is ever done on the strength of what an
 * earlier run was known to hold.
 */
export class StreamLink {
  readonly #options: StreamLinkOptions
  readonly #shas = new Map<string, ReadonlyMap<StreamScript, string>>()
  readonly #runs = new Map<number, string>()
  #seen = -1
  #looking: Promise<void> | undefined
  #closed = false

  constructor(options: StreamLinkOptions) {
    this.#options = options
  }

  /** True when a call can be sent right now. */
  get ready(): boolean {
    const { router } = this.#options
    return !this.#closed && router.ready && this.#seen === router.epoch
  }

  /** True when the server can be reached, whether or not it was looked at. */
  get connected(): boolean {
    return !this.#closed && this.#options.router.ready
  }

  base(partition: number): string {
    return partitionBase(this.#options.keyPrefix, partition)
  }

  /** How many there are, once they were looked at. */
  get partitions(): number {
    return this.#runs.size
  }

  /** The run ids of the servers that hold the partitions. */
  get runIds(): readonly string[] {
    return [...new Set(this.#runs.values())]
  }

  /** @throws StorageError `UNSUPPORTED` when the server may evict what it holds. */
  async connect(): Promise<void> {
    const { router } = this.#options
    await router.connect()
    refuseEviction(router.servers, 'log')
    await this.ensure()
  }

  /** Looks at the partitions if that is due. */
  async ensure(): Promise<void> {
    if (this.#closed) throw new StorageError('CLOSED', 'the log is closed', { place: 'wal' })
    if (this.ready) return
    if (!this.#options.router.ready) throw away('not connected')
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    await this.#looking
  }

  /** Runs a script on a partition; its keys and first argument are put before `args`. */
  async call(
    partition: number,
    script: StreamScript,
    args: readonly string[],
  ): Promise<readonly unknown[]> {
    for (let attempt = 0; ; attempt++) {
      if (!this.ready) await this.ensure()
      try {
        return await this.callNow(partition, script, args)
      } catch (error) {
        // It was not run: the server is in another run, or has forgotten its scripts.
        if (replyCode(error) !== 'NOSCRIPT') throw error
        this.distrust()
        if (attempt > 0) throw redisError(error, script.name, script.writes)
      }
    }
  }

  /** The same without looking first: for `look` itself. */
  async callNow(
    partition: number,
    script: StreamScript,
    args: readonly string[],
  ): Promise<readonly unknown[]> {
    const sha = this.#shas.get(this.#runs.get(partition) ?? '')?.get(script)
    if (sha === undefined) throw away('the partition was not looked at')
    const base = this.base(partition)
    return await this.#send(partition, script, ['EVALSHA', sha, '1', `${base}meta`, base, ...args])
  }

  /** Runs a script by its text, which belongs to no run. */
  async evaluate(
    partition: number,
    script: StreamScript,
    args: readonly string[],
  ): Promise<readonly unknown[]> {
    const base = this.base(partition)
    const text = COMMON_LUA + script.lua
    return await this.#send(partition, script, ['EVAL', text, '1', `${base}meta`, base, ...args])
  }

  /** Makes the scripts known to the partition's server, for this run of it. */
  async introduce(partition: number, run: string): Promise<void> {
    if (!this.#shas.has(run)) {
      const meta = `${this.base(partition)}meta`
      const scripts = LOADED.map((script) => ({
        script,
        ...rawScript(script.name, COMMON_LUA, script.lua, `\n-- ${run}`),
      }))
      await Promise.all(
        scripts.map(({ script, text }) => this.#send(partition, script, ['EVAL', text, '1', meta])),
      )
      this.#shas.set(run, new Map(scripts.map(({ script, sha }) => [script, sha])))
    }
    this.#runs.set(partition, run)
  }

  /** Any other command; `key` decides where it runs. */
  async command(key: string, args: readonly string[]): Promise<unknown> {
    await this.ensure()
    return await this.#bounded(key, args, false, args[0]!)
  }

  /** Undefined when the server cannot be reached in time. */
  async ifReachable<T>(call: () => Promise<T>): Promise<T | undefined> {
    if (!this.connected) return undefined
    try {
      return await call()
    } catch (error) {
      this.#options.env.logger.debug({ error: messageOf(error) }, 'the log could not be asked')
      return undefined
    }
  }

  /** The partitions are looked at before the next call. */
  distrust(): void {
    this.#seen = -1
    this.#shas.clear()
  }

  close(): void {
    this.#closed = true
    this.#options.router.close()
  }

  async #look(): Promise<void> {
    const { router, look } = this.#options
    const epoch = router.epoch
    this.#shas.clear()
    await look(this)
    // A connection that was lost meanwhile is looked at again.
    if (router.epoch === epoch) this.#seen = epoch
    else throw away('the connection was lost')
  }

  async #send(
    partition: number,
    script: StreamScript,
    args: readonly string[],
  ): Promise<readonly unknown[]> {
    const key = `${this.base(partition)}meta`
    const reply = await this.#bounded(key, args, script.writes, script.name)
    return Array.isArray(reply) ? reply : [reply]
  }

  async #bounded(
    key: string,
    args: readonly string[],
    writes: boolean,
    operation: string,
  ): Promise<unknown> {
    const { env, router, timeoutMs } = this.#options
    const context = { effect: writes ? 'unknown' : 'none', place: 'wal', operation } as const
    try {
      const sent = router.send(key, args)
      return await withDeadline(env, timeoutMs, `Redis (${operation})`, sent, context)
    } catch (error) {
      // A connection that does not answer is given up: what is behind it would wait as well.
      if (isStorageError(error, 'TIMEOUT')) router.misled(key, error)
      if (isStorageError(error)) throw error
      const code = replyCode(error)
      if (code === 'NOSCRIPT') throw error
      if (code === 'READONLY' || code === 'MASTERDOWN') router.misled(key, error)
      const known = redisError(error, operation, writes)
      throw new StorageError(known.code, messageOf(known), {
        ...context,
        effect: known.effect,
        cause: error,
      })
    }
  }
}

function away(why: string): StorageError {
  return new StorageError('UNAVAILABLE', `the Redis of the log cannot be reached: ${why}`, {
    place: 'wal',
  })
}

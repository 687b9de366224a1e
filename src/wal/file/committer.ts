import type { Env, Timer } from '../../core/env.ts'
import { effectOf, messageOf, StorageError, type Effect } from '../../core/errors.ts'
import { backoffMs } from '../../core/time.ts'
import type { Lsn } from '../wal.ts'
import { CommitGroup, type NewAppend } from './commit-group.ts'
import { GROUP_BYTES, RETRY_FIRST_MS, RETRY_MAX_MS, WAITING_BYTES_MAX } from './limits.ts'
import type { Segments } from './segments.ts'

/** Microtasks that pass between two groups: callers that append again at once join the next one. */
const GATHER_TURNS = 8
/** Buffers of written groups that are kept for later ones. */
const BUFFERS_MAX = 2

export interface CommitterOptions {
  readonly env: Env
  readonly segments: Segments
  readonly salt: number
  readonly firstLsn: Lsn
  /** Runs before a group is written; a rejection refuses the group without effect. */
  readonly prepare: (group: CommitGroup) => Promise<void> | undefined
  /** Runs after a group was synced and before it is acknowledged; a rejection leaves it unknown. */
  readonly confirm: () => Promise<void>
  /** A group was rejected. */
  readonly onRejected: () => void
  /** The group is durable. Its appends are resolved right afterwards. */
  readonly onDurable: (group: CommitGroup, offset: number) => void
}

/**
 * CommitGroup commit: while one write and sync run the next group gathers.
 *
 * When a segment fails, the group that was being written is written once more, to a new segment. If
 * that fails as well the group is rejected, and so is every append until a new segment could be
 * started; that is tried again and again.
 */
export class Committer {
  readonly #options: CommitterOptions
  #queue: CommitGroup[] = []
  /** Who waits for the present segment to end. */
  #seals: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  #waitingBytes = 0
  #nextLsn: Lsn
  #running: Promise<void> | undefined
  #failure: StorageError | undefined
  #retry: Timer | undefined
  #attempts = 0
  #closed = false
  readonly #buffers: Buffer[] = []

  constructor(options: CommitterOptions) {
    this.#options = options
    this.#nextLsn = options.firstLsn
  }

  /** Why appends are refused at present. */
  get failure(): StorageError | undefined {
    return this.#failure
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Takes an append into the group that gathers. Throws when it is refused, without effect. */
  add(append: NewAppend, lacking: number): void {
    if (this.#failure !== undefined) throw refusal(this.#failure)
    if (this.#waitingBytes > WAITING_BYTES_MAX) {
      const message = `${this.#waitingBytes} bytes wait for the disk (limit ${WAITING_BYTES_MAX})`
      throw new StorageError('OVERLOADED', message, { place: 'wal' })
    }
    const last = this.#queue.at(-1)
    const group =
      last === undefined || last.isFull()
        ? new CommitGroup(this.#nextLsn, this.#options.salt, this.#buffers.pop())
        : last
    const before = group.used
    group.add(append, lacking)
    if (group !== last) this.#queue.push(group)
    this.#nextLsn++
    this.#waitingBytes += group.used - before
    this.#running ??= this.#run()
  }

  /** Refuses further appends for good. */
  fail(failure: StorageError): void {
    this.#closed = true
    this.#failure = failure
    this.#retry?.cancel()
  }

  /**
   * Ends the present segment, so that everything acknowledged so far is in sealed ones.
   *
   * @throws StorageError `UNAVAILABLE` when the disk takes no new one.
   */
  async seal(): Promise<void> {
    if (this.#failure !== undefined) throw refusal(this.#failure)
    await new Promise<void>((resolve, reject) => {
      this.#seals.push({ resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Waits for what is under way. Nothing is retried any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#retry?.cancel()
    await this.#running
  }

  async #run(): Promise<void> {
    for (;;) {
      for (let turn = 0; turn < GATHER_TURNS; turn++) await Promise.resolve()
      if (this.#seals.length > 0) await this.#seal()
      const group = this.#queue.shift()
      if (group === undefined) break
      await this.#commit(group)
    }
    this.#running = undefined
  }

  async #seal(): Promise<void> {
    const waiting = this.#seals.splice(0)
    try {
      await this.#options.segments.seal(this.#queue[0]?.firstLsn ?? this.#nextLsn)
      for (const { resolve } of waiting) resolve()
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  async #commit(group: CommitGroup): Promise<void> {
    let offset: number
    try {
      await this.#options.prepare(group)
      offset = await this.#write(group)
    } catch (error) {
      this.#reject(group, error)
      return
    }
    try {
      await this.#options.confirm()
    } catch (error) {
      // It is in the file, and its LSNs are given out again: what follows must not stand behind it.
      await this.#options.segments.giveUp()
      this.#reject(group, error)
      return
    }
    this.#waitingBytes -= group.used
    this.#options.onDurable(group, offset)
    for (const { resolve, lsn } of group.appends) resolve(lsn)
    if (this.#buffers.length < BUFFERS_MAX && group.buffer.byteLength <= 2 * GROUP_BYTES) {
      this.#buffers.push(group.buffer)
    }
  }

  async #write(group: CommitGroup): Promise<number> {
    const { segments, env } = this.#options
    let effect: Effect
    try {
      return await segments.commit(group.bytes, group.firstLsn)
    } catch (error) {
      effect = effectOf(error)
      env.logger.warn({ error: messageOf(error) }, 'a segment failed; starting another one')
    }
    try {
      return await segments.commit(group.bytes, group.firstLsn)
    } catch (error) {
      if (effect === 'none') throw error
      throw unavailable(messageOf(error), effect, error)
    }
  }

  /** The group and all that waits behind it. Their LSNs are given to others: nobody saw them. */
  #reject(group: CommitGroup, error: unknown): void {
    const { env } = this.#options
    const failure = unavailable(messageOf(error), effectOf(error), error)
    const waiting = this.#queue
    this.#queue = []
    this.#waitingBytes = 0
    this.#nextLsn = group.firstLsn
    this.#failure ??= failure
    env.logger.error({ error: messageOf(error) }, 'the log failed and takes no appends')
    for (const { reject } of group.appends) reject(failure)
    const none = refusal(failure)
    for (const { appends } of waiting) for (const { reject } of appends) reject(none)
    this.#scheduleRetry()
    this.#options.onRejected()
  }

  #scheduleRetry(): void {
    if (this.#closed) return
    const { env } = this.#options
    const delayMs = backoffMs(env, this.#attempts++, {
      firstMs: RETRY_FIRST_MS,
      maxMs: RETRY_MAX_MS,
    })
    this.#retry = env.setTimer(delayMs, () => {
      this.#running ??= this.#recover()
    })
  }

  async #recover(): Promise<void> {
    const { segments, env } = this.#options
    // Never ends before its caller has kept its promise.
    await Promise.resolve()
    try {
      if (!segments.isWritable) await segments.roll(this.#nextLsn)
      if (!this.#closed) {
        this.#failure = undefined
        this.#attempts = 0
        env.logger.info({}, 'the log takes appends again')
      }
    } catch (error) {
      env.logger.warn({ error: messageOf(error) }, 'the log still takes no appends')
      this.#scheduleRetry()
    } finally {
      this.#running = undefined
    }
  }
}

function refusal(failure: StorageError): StorageError {
  return unavailable(failure.message, 'none', failure)
}

function unavailable(message: string, effect: Effect, cause: unknown): StorageError {
  return new StorageError('UNAVAILABLE', message, { effect, place: 'wal', cause })
}

import type { Env, Timer } from '../../core/env.ts'
import { messageOf } from '../../core/errors.ts'
import { CEILING_AHEAD_MS, META_INTERVAL_MS } from './limits.ts'
import { saveMeta, type MetaBody } from './meta.ts'

export interface MetaKeeperOptions {
  readonly env: Env
  readonly directory: string
  readonly generation: number
  readonly ceilingMs: number
  /** What is to be saved, at the moment of the call. */
  readonly snapshot: () => Omit<MetaBody, 'ceilingMs' | 'clean'>
  /** What was saved. */
  readonly onSaved: (body: MetaBody) => void
}

/** Saves the meta file: seldom for acknowledgements, ahead of need for the ceiling. */
export class MetaKeeper {
  readonly #options: MetaKeeperOptions
  #generation: number
  #ceilingMs: number
  #running: Promise<void> | undefined
  #timer: Timer | undefined
  #failure: string | undefined
  #closed = false

  constructor(options: MetaKeeperOptions) {
    this.#options = options
    this.#generation = options.generation
    this.#ceilingMs = options.ceilingMs
  }

  /** Stamps up to here may be acknowledged. Unix milliseconds. */
  get ceilingMs(): number {
    return this.#ceilingMs
  }

  /** Why the last attempt failed. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Saves soon. A failure is reported and tried again. */
  request(delayMs: number = META_INTERVAL_MS): void {
    if (this.#timer !== undefined || this.#closed) return
    this.#timer = this.#options.env.setTimer(delayMs, () => {
      this.#timer = undefined
      void this.#background()
    })
  }

  /** Raises the ceiling above this time. Resolves when that is on disk. */
  async raise(ms: number): Promise<void> {
    const aboveMs = Math.max(ms, this.#options.env.now()) + CEILING_AHEAD_MS
    while (this.#ceilingMs < ms) await this.save({ ceilingMs: aboveMs })
  }

  /** Raises the ceiling in the background once less than half of its lead is left. */
  raiseAhead(): void {
    if (this.#running !== undefined) return
    const nowMs = this.#options.env.now()
    if (this.#ceilingMs - nowMs < CEILING_AHEAD_MS / 2) void this.#background()
  }

  /** Saves what is there at the moment of the call, or later. */
  async save(change: Partial<Pick<MetaBody, 'ceilingMs' | 'clean'>> = {}): Promise<void> {
    // One at a time. Whoever caused an earlier attempt hears of its failure.
    while (this.#running !== undefined) await this.#running.catch(() => undefined)
    this.#running = this.#save(change)
    try {
      await this.#running
      this.#failure = undefined
    } catch (error) {
      this.#failure = messageOf(error)
      throw error
    } finally {
      this.#running = undefined
    }
  }

  /** Nothing is saved any more, except by `save`. */
  stop(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = undefined
  }

  async #background(): Promise<void> {
    try {
      const ceilingMs = this.#options.env.now() + CEILING_AHEAD_MS
      await this.save({ ceilingMs })
    } catch (error) {
      this.#options.env.logger.warn({ error: messageOf(error) }, 'the meta file was not saved')
      this.request()
    }
  }

  async #save(change: Partial<Pick<MetaBody, 'ceilingMs' | 'clean'>>): Promise<void> {
    const { env, directory, snapshot, onSaved } = this.#options
    const generation = ++this.#generation
    const { ceilingMs = 0, clean = false } = change
    const body = {
      ...snapshot(),
      clean,
      // A lower one only when nothing is appended any more.
      ceilingMs: clean ? ceilingMs : Math.max(this.#ceilingMs, ceilingMs),
    }
    await saveMeta(env, directory, { generation, ...body })
    this.#ceilingMs = body.ceilingMs
    onSaved(body)
  }
}

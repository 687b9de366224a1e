import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { ChatHistory } from '../../../src/index.ts'
import { Ledger } from './ledger.ts'

export interface WorkloadOptions {
  readonly history: ChatHistory
  /** Default: two. */
  readonly conversations?: readonly string[]
  /** Sessions that save to each conversation, one message after another. Default: 3. */
  readonly writers?: number
  /** Pause of a session between its saves, so that a long outage makes no long lists. Default: 0. */
  readonly pauseMs?: number
}

/** Longest wait for progress. A save that takes longer than this has failed. Milliseconds. */
const PROGRESS_MS_MAX = 60_000

/** Sessions that save, and one reader a conversation that checks what it reads, until stopped. */
export class Workload {
  readonly ledger: Ledger = new Ledger()
  readonly #history: ChatHistory
  readonly #conversations: readonly string[]
  readonly #pauseMs: number
  readonly #running: Promise<void>[]
  #stopped = false

  constructor({ history, conversations = ['a', 'b'], writers = 3, pauseMs = 0 }: WorkloadOptions) {
    this.#pauseMs = pauseMs
    this.#history = history
    this.#conversations = conversations
    this.#running = conversations.flatMap((conversation) => [
      ...Array.from({ length: writers }, (_, i) => this.#write(conversation, `${i}`)),
      this.#read(conversation),
    ])
  }

  /** Resolves after this many further saves and one further read of each conversation. */
  async proceed(saves: number): Promise<void> {
    const { verdict } = this.ledger
    const wantedSaves = verdict.saves + verdict.failedSaves + saves
    const wantedReads = verdict.reads + verdict.failedReads + 2 * this.#conversations.length
    const until = performance.now() + PROGRESS_MS_MAX
    while (
      verdict.saves + verdict.failedSaves < wantedSaves ||
      verdict.reads + verdict.failedReads < wantedReads
    ) {
      if (performance.now() > until) {
        throw new Error(`no progress in ${PROGRESS_MS_MAX} ms: ${JSON.stringify(verdict)}`)
      }
      await nextTurn()
    }
  }

  /** Ends the sessions when their present call has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  async #write(conversation: string, writer: string): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      await this.ledger.save(this.#history, conversation, `${conversation} ${writer} ${n}`)
      await sleep(this.#pauseMs)
    }
  }

  async #read(conversation: string): Promise<void> {
    while (!this.#stopped) {
      await this.ledger.read(this.#history, conversation)
      await nextTurn()
    }
  }
}

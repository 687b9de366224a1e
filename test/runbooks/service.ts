import { setTimeout as pause } from 'node:timers/promises'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'

const PAUSE_MS = 5

/** A service that saves one message after the other until it is stopped, and knows what was acknowledged. */
export class Service {
  readonly acknowledged: string[] = []
  readonly history: ChatHistory
  #stopping = false
  #running: Promise<void>

  private constructor(history: ChatHistory) {
    this.history = history
    this.#running = this.#run()
  }

  static async start(options: ChatHistoryOptions): Promise<Service> {
    return new Service(await openChatHistory(options))
  }

  /** Resolves when so many more have been acknowledged. */
  async saves(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count
    while (this.acknowledged.length < wanted && !this.#stopping) await pause(PAUSE_MS)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
    await this.history.close()
  }

  async #run(): Promise<void> {
    for (let i = 0; !this.#stopping; i++) {
      const { id } = await this.history.saveMessage(`c${i % 5}`, { role: 'user', content: `${i}` })
      this.acknowledged.push(id)
      await pause(PAUSE_MS)
    }
  }
}

/** Work that goes on by itself from `start` until `stop`. */
export class BackgroundLoop {
  #stop = new AbortController()
  #running: Promise<unknown> | undefined

  /** Aborted by `stop`, until the next `start`. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** True from `start` until the work has ended after `stop`. */
  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Begins the work, which ends soon after its signal is aborted. Nothing happens while it goes on. */
  start(work: (signal: AbortSignal) => Promise<unknown>): void {
    if (this.isRunning) return
    this.#stop = new AbortController()
    this.#running = work(this.#stop.signal)
  }

  /** Resolves when the work has ended. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#running = undefined
  }
}

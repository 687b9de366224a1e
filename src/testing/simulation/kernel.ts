import type { Timer } from '../../core/env.ts'
import { EventHeap } from './event-heap.ts'

interface ScheduledEvent {
  readonly atMs: number
  readonly order: number
  run: (() => void) | undefined
}

/**
 * Virtual time: one event at a time, in the order of their times. Between two events every promise
 * that the first one settled has run its course, so a run depends on nothing but its seed.
 */
export class Kernel {
  readonly #heap = new EventHeap<ScheduledEvent>()
  #now = 0
  #order = 0
  #steps = 0

  /** Milliseconds since the start. */
  get now(): number {
    return this.#now
  }

  /** Events that have run. */
  get steps(): number {
    return this.#steps
  }

  schedule(delayMs: number, run: () => void): Timer {
    const event: ScheduledEvent = {
      atMs: this.#now + Math.max(0, delayMs),
      order: this.#order++,
      run,
    }
    this.#heap.push(event)
    return {
      cancel: () => {
        event.run = undefined
      },
    }
  }

  async sleep(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.schedule(delayMs, resolve)
    })
  }

  /** Runs what is due up to this moment; `until` may end it earlier. */
  async run(untilMs: number, until: () => boolean = () => false): Promise<void> {
    await drained()
    for (;;) {
      const next = this.#heap.first
      if (next === undefined || next.atMs > untilMs) break
      const event = this.#heap.pop()
      if (event.run === undefined) continue
      this.#now = event.atMs
      this.#steps++
      event.run()
      await drained()
      if (until()) return
    }
    this.#now = untilMs
  }
}

/** A turn of the event loop: all promises have settled that need no further event. */
async function drained(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}

import type { Timer } from '../src/core/env.ts'
import { EventHeap } from './event-heap.ts'

interface ScheduledEvent {
  readonly atMs: number
  readonly order: number
  run: (() => void) | undefined
}

/** Events that run in one turn of the event loop of Node.js. */
const EVENTS_PER_TURN = 64

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
    await new Promise<void>((resolve, reject) => {
      let isOver = false
      let left = 0
      let first = true
      const step = (): void => {
        if (isOver) return
        try {
          isOver = (!first && until()) || !this.#runNext(untilMs)
          first = false
        } catch (error) {
          isOver = true
          reject(error as Error)
        }
        if (isOver) resolve()
        else if (--left === 0) turn()
      }
      // Promises settle between two callbacks of one turn, too, and a turn for each event would take long.
      const turn = (): void => {
        left = EVENTS_PER_TURN
        for (let i = 0; i < EVENTS_PER_TURN; i++) setImmediate(step)
      }
      turn()
    })
  }

  /** False when nothing more is due up to this moment. */
  #runNext(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap.first
      if (next === undefined || next.atMs > untilMs) break
      const { atMs, run } = this.#heap.pop()
      if (run === undefined) continue
      this.#now = atMs
      this.#steps++
      run()
      return true
    }
    this.#now = untilMs
    return false
  }
}

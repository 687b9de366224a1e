import type { Timer } from '../../core/env.ts'

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
  readonly #heap: ScheduledEvent[] = []
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
    this.#push(event)
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
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= untilMs) {
      const event = this.#pop()
      if (event.run === undefined) continue
      this.#now = event.atMs
      this.#steps++
      event.run()
      await drained()
      if (until()) return
    }
    this.#now = untilMs
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap
    heap.push(event)
    let at = heap.length - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): ScheduledEvent {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs
}

/** A turn of the event loop: all promises have settled that need no further event. */
async function drained(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}

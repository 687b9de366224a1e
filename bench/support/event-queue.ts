interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** Virtual time: events in the order of their moments, those of one moment in the order they were made. */
export class EventQueue {
  now = 0
  #made = 0
  /** A binary heap: each event is not later than the two below it. */
  readonly #heap: Event[] = []

  after(ms: number, run: () => void): void {
    const event = { at: this.now + ms, order: this.#made++, run }
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(event, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = event
  }

  /** Runs all that happens before this moment. */
  runUntil(end: number): void {
    while (this.#heap.length > 0 && this.#heap[0]!.at < end) {
      const event = this.#take()
      this.now = event.at
      event.run()
    }
    this.now = end
  }

  #take(): Event {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!isBefore(heap[below]!, last)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at
}

import { EventHeap } from '../../simulator/event-heap.ts'

interface Event {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

/** Virtual time: events in the order of their moments, those of one moment in the order they were made. */
export class EventQueue {
  now = 0
  #made = 0
  readonly #heap = new EventHeap<Event>()

  after(ms: number, run: () => void): void {
    this.#heap.push({ atMs: this.now + ms, order: this.#made++, run })
  }

  /** Runs all that happens before this moment. */
  runUntil(end: number): void {
    for (
      let next = this.#heap.first;
      next !== undefined && next.atMs < end;
      next = this.#heap.first
    ) {
      const event = this.#heap.pop()
      this.now = event.atMs
      event.run()
    }
    this.now = end
  }
}

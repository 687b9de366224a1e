/** What happens at a moment; of one moment, in the order in which it was scheduled. */
interface Timed {
  readonly atMs: number
  readonly order: number
}

/** A binary heap: each event is not later than the two below it. */
export class EventHeap<Event extends Timed> {
  readonly #events: Event[] = []

  /** The earliest one. */
  get first(): Event | undefined {
    return this.#events[0]
  }

  push(event: Event): void {
    const events = this.#events
    let at = events.push(event) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(event, events[above]!)) break
      events[at] = events[above]!
      at = above
    }
    events[at] = event
  }

  /** Takes the earliest one out. There must be one. */
  pop(): Event {
    const events = this.#events
    const first = events[0]!
    const last = events.pop()!
    if (events.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= events.length) break
      if (below + 1 < events.length && isBefore(events[below + 1]!, events[below]!)) below++
      if (!isBefore(events[below]!, last)) break
      events[at] = events[below]!
      at = below
    }
    events[at] = last
    return first
  }
}

function isBefore(a: Timed, b: Timed): boolean {
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs
}

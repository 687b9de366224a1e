import type { Ticket } from './ticket.ts'

/**
 * Tickets that come and go with every save, in no order. A `Set` takes a new table every few of them, and
 * V8 chains its tables: from the first one that got old, all are kept with what was in them until a full
 * collection.
 */
export class OpenTickets implements Iterable<Ticket> {
  readonly #tickets: Ticket[] = []

  get size(): number {
    return this.#tickets.length
  }

  add(ticket: Ticket): void {
    if (ticket.index !== undefined) return
    ticket.index = this.#tickets.length
    this.#tickets.push(ticket)
  }

  delete(ticket: Ticket): void {
    const { index } = ticket
    if (index === undefined) return
    ticket.index = undefined
    const last = this.#tickets.pop()!
    if (last === ticket) return
    last.index = index
    this.#tickets[index] = last
  }

  [Symbol.iterator](): Iterator<Ticket> {
    return this.#tickets.values()
  }
}

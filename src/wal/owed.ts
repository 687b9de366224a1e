import { operationBytes, type Operation } from '../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import type { Ticket } from './ticket.ts'
import { READ_BYTES_MAX } from './wal.ts'

/** Acknowledged groups that the log could not take: memory alone owes them to places. */
export class Owed {
  readonly #tickets = new Set<Ticket>()
  readonly #byKey = new Map<string, Set<Ticket>>()
  /** What each place lacks of them: to count it costs nothing, however much is owed. */
  readonly #lacking = { primary: new Set<Ticket>(), backup: new Set<Ticket>() }
  readonly #refused = { primary: new WeakSet<Ticket>(), backup: new WeakSet<Ticket>() }
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#tickets.size
  }

  add(ticket: Ticket): void {
    this.#sort(ticket)
    if (this.#tickets.has(ticket)) return
    this.#tickets.add(ticket)
    this.#bytes += bytesOf(ticket)
    for (const { key } of ticket.operations) {
      let set = this.#byKey.get(key)
      if (set === undefined) this.#byKey.set(key, (set = new Set()))
      set.add(ticket)
    }
  }

  /** Forgets the ticket once every place has it or the log took it over. */
  settle(ticket: Ticket): void {
    if (!this.#tickets.has(ticket)) return
    this.#sort(ticket)
    if (!ticket.isLogged() && DATABASE_PLACES.some((place) => ticket.lacks(place))) return
    this.#tickets.delete(ticket)
    for (const place of DATABASE_PLACES) this.#lacking[place].delete(ticket)
    this.#bytes -= bytesOf(ticket)
    for (const { key } of ticket.operations) {
      const set = this.#byKey.get(key)
      set?.delete(ticket)
      if (set?.size === 0) this.#byKey.delete(key)
    }
  }

  count(place: DatabasePlace): number {
    return this.#lacking[place].size
  }

  has(place: DatabasePlace, key: string): boolean {
    for (const ticket of this.#byKey.get(key) ?? []) if (ticket.lacks(place)) return true
    return false
  }

  /** What the place lacks on this key, oldest first. */
  pending(place: DatabasePlace, key: string): Operation[] {
    const operations: Operation[] = []
    for (const ticket of this.#byKey.get(key) ?? []) {
      if (!ticket.lacks(place)) continue
      operations.push(...ticket.operations.filter((operation) => operation.key === key))
    }
    return operations
  }

  *keys(place: DatabasePlace): Iterable<string> {
    for (const [key, tickets] of this.#byKey) {
      for (const ticket of tickets) {
        if (!ticket.lacks(place)) continue
        yield key
        break
      }
    }
  }

  /** The place refused the group for good: it must not hold up others. */
  refuse(place: DatabasePlace, ticket: Ticket): void {
    this.#refused[place].add(ticket)
  }

  /**
   * Tickets for a worker: what nobody is sending just now, up to `READ_BYTES_MAX` and at least one.
   * `refused`: those that the place refused, else the others.
   */
  take(place: DatabasePlace, limit: number, refused = false): Ticket[] {
    const taken: Ticket[] = []
    let bytes = 0
    for (const ticket of this.#lacking[place]) {
      if (taken.length === limit) break
      if (ticket.isSending(place)) continue
      if (this.#refused[place].has(ticket) !== refused) continue
      bytes += bytesOf(ticket)
      if (taken.length > 0 && bytes > READ_BYTES_MAX) break
      taken.push(ticket)
    }
    return taken
  }

  all(): Ticket[] {
    return [...this.#tickets]
  }

  /** The oldest ones. */
  first(count: number): Ticket[] {
    const found: Ticket[] = []
    for (const ticket of this.#tickets) {
      if (found.length === count) break
      found.push(ticket)
    }
    return found
  }

  #sort(ticket: Ticket): void {
    for (const place of DATABASE_PLACES) {
      if (ticket.lacks(place)) this.#lacking[place].add(ticket)
      else this.#lacking[place].delete(ticket)
    }
  }
}

function bytesOf(ticket: Ticket): number {
  return ticket.operations.reduce((sum, operation) => sum + operationBytes(operation), 0)
}

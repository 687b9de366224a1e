import type { Operation } from '../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import type { Lsn, WAL } from './wal.ts'

/**
 * `idle`: not sent by the writer, so a worker may. `sent`: the writer waits for the answer.
 * `applied`: the place has it.
 */
type PlaceState = 'idle' | 'sent' | 'applied'

/** What a ticket tells the manager that keeps it. */
export interface TicketKeeper {
  readonly wal: WAL | undefined
  /** The ticket's group is owed by memory alone from now on, or no longer. */
  owe(ticket: Ticket): void
  settled(ticket: Ticket): void
}

/**
 * One group on its way: which places have it, which were sent it, whether the log has it. It keeps
 * the log's books true whatever order the answers come in.
 */
export class Ticket {
  operations: readonly Operation[]
  /** The backup was told that the primary lacks this group. */
  hinted = false
  /** Its place in `OpenTickets`, while it is open. */
  index: number | undefined
  readonly #keeper: TicketKeeper
  readonly #places: Record<DatabasePlace, PlaceState> = { primary: 'idle', backup: 'idle' }
  #lsn: Lsn | undefined
  #logging = false
  #acknowledged = false
  #void = false

  constructor(keeper: TicketKeeper, operations: readonly Operation[]) {
    this.#keeper = keeper
    this.operations = operations
  }

  /** The writer sends the group to this place itself: the flush worker leaves it alone. */
  sent(place: DatabasePlace): void {
    this.#places[place] = 'sent'
  }

  applied(place: DatabasePlace): void {
    if (this.#places[place] === 'applied') return
    this.#places[place] = 'applied'
    if (this.#lsn !== undefined) this.#keeper.wal!.acknowledge(place, [this.#lsn])
    this.#keeper.settled(this)
  }

  /** The place did not confirm: the worker takes over. */
  missed(place: DatabasePlace): void {
    if (this.#places[place] === 'applied') return
    this.#places[place] = 'idle'
    if (this.#lsn !== undefined) this.#keeper.wal!.release(place, [this.#lsn])
    this.#keeper.settled(this)
  }

  /** The place lost its data, this group among it. */
  lost(place: DatabasePlace): void {
    if (this.#places[place] !== 'applied') return
    this.#places[place] = 'idle'
    this.#oweIfUnlogged()
  }

  /**
   * Appends the group to the log. Resolves when it is durable there. `fresh`: it may be stamped again,
   * so a shared log may refuse it with `BehindInLog`.
   */
  async log(fresh = false): Promise<void> {
    const { wal } = this.#keeper
    if (wal === undefined || this.#lsn !== undefined || this.#logging) return
    this.#logging = true
    const held = DATABASE_PLACES.filter((place) => this.#places[place] !== 'idle')
    try {
      this.#lsn = await wal.append(this.operations, { hold: held, fresh })
    } finally {
      this.#logging = false
      this.#afterLog(wal, held)
    }
  }

  /** The caller was told, or some place has it: what lacks it is owed from now on. */
  acknowledge(): void {
    this.#acknowledged = true
    this.#oweIfUnlogged()
    this.#keeper.settled(this)
  }

  /** The group was decided not to happen: no place is owed it. */
  void(): void {
    this.#void = true
    if (this.#lsn !== undefined) this.#forget(this.#keeper.wal!, this.#lsn)
    this.#keeper.settled(this)
  }

  lacks(place: DatabasePlace): boolean {
    return this.#places[place] !== 'applied' && !this.#void
  }

  isSending(place: DatabasePlace): boolean {
    return this.#places[place] === 'sent'
  }

  isLogged(): boolean {
    return this.#lsn !== undefined
  }

  /** True while the writer, the log or a place has yet to answer. */
  isOpen(): boolean {
    if (this.#void) return false
    return (
      !this.#acknowledged || this.#logging || this.isSending('primary') || this.isSending('backup')
    )
  }

  #afterLog(wal: WAL, held: readonly DatabasePlace[]): void {
    if (this.#lsn === undefined) {
      this.#oweIfUnlogged()
      return
    }
    if (this.#void) {
      this.#forget(wal, this.#lsn)
      return
    }
    for (const place of DATABASE_PLACES) {
      if (this.#places[place] === 'applied') wal.acknowledge(place, [this.#lsn])
      else if (this.#places[place] === 'idle' && held.includes(place)) {
        wal.release(place, [this.#lsn])
      }
    }
    this.#keeper.settled(this)
  }

  /** Also while the log is at it: until it answers, nobody else shows the group to reads. */
  #oweIfUnlogged(): void {
    if (!this.#acknowledged || this.#lsn !== undefined || this.#void) return
    if (this.operations.length === 0) return
    if (DATABASE_PLACES.some((place) => this.lacks(place))) this.#keeper.owe(this)
  }

  /** A voided entry may have reached the log: replaying it would be harmless, but is not owed. */
  #forget(wal: WAL, lsn: Lsn): void {
    for (const place of DATABASE_PLACES) wal.acknowledge(place, [lsn])
  }
}

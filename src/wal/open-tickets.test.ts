import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OpenTickets } from './open-tickets.ts'
import { Ticket } from './ticket.ts'

const keeper = { wal: undefined, owe: () => {}, settled: () => {} }

test('it has what was added and not deleted, each once', () => {
  const step = fc.record({ add: fc.boolean(), which: fc.nat(9) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const tickets = Array.from({ length: 10 }, () => new Ticket(keeper, []))
      const open = new OpenTickets()
      const model = new Set<Ticket>()
      for (const { add, which } of steps) {
        const ticket = tickets[which]!
        if (add) {
          open.add(ticket)
          model.add(ticket)
        } else {
          open.delete(ticket)
          model.delete(ticket)
        }
        expect(open.size).toBe(model.size)
        expect(new Set(open)).toEqual(model)
      }
    }),
  )
})

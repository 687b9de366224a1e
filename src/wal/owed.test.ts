import { expect, onTestFinished, test, vi } from 'vitest'
import { append, stampAt } from '../testing/backend/operations.ts'
import { Owed } from './owed.ts'
import { Ticket } from './ticket.ts'
import { READ_BYTES_MAX } from './wal.ts'

function owing(...lengths: readonly number[]): Owed {
  const owed = new Owed()
  const keeper = { wal: undefined, owe: () => {}, settled: () => {} }
  lengths.forEach((length, i) => {
    owed.add(new Ticket(keeper, [append('k', stampAt(i), 'x'.repeat(length))]))
  })
  return owed
}

test('what is taken stays within its limit of bytes', () => {
  const third = READ_BYTES_MAX / 3
  expect(owing(third, third, third, third).take('backup', 100)).toHaveLength(2)
})

test('a group that is larger than the limit is taken alone', () => {
  expect(owing(READ_BYTES_MAX + 1, 1).take('backup', 100)).toHaveLength(1)
})

test('no more groups are taken than asked for', () => {
  expect(owing(1, 1, 1).take('backup', 2)).toHaveLength(2)
})

test('what a place has is not gone through to find what it lacks', () => {
  const owed = new Owed()
  const keeper = {
    wal: undefined,
    owe: (ticket: Ticket) => owed.add(ticket),
    settled: (ticket: Ticket) => owed.settle(ticket),
  }
  const tickets = Array.from({ length: 100 }, (_, i) => {
    const ticket = new Ticket(keeper, [append('k', stampAt(i), 'x')])
    ticket.acknowledge()
    ticket.applied('primary')
    return ticket
  })
  const asked = vi.spyOn(Ticket.prototype, 'lacks')
  onTestFinished(() => asked.mockRestore())
  expect([owed.count('primary'), owed.count('backup')]).toEqual([0, 100])
  expect(owed.take('primary', 10)).toEqual([])
  expect(asked).not.toHaveBeenCalled()
  tickets[7]!.lost('primary')
  expect(owed.take('primary', 10)).toEqual([tickets[7]])
  tickets[7]!.applied('primary')
  tickets[7]!.applied('backup')
  expect([owed.count('primary'), owed.count('backup'), owed.size]).toEqual([0, 99, 99])
})

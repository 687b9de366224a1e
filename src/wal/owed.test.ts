import { expect, test } from 'vitest'
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

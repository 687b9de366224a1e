import { expect, test } from 'vitest'
import { StorageConnectionError, StorageError } from '../core/errors.ts'
import { startError, type StartOutcome } from './start-outcome.ts'

const WRONG_PASSWORD = {
  place: 'primary',
  error: new StorageConnectionError('x', 'primary database: wrong password', { permanent: true }),
} as const
const OUTAGE = { place: 'backup', error: new StorageConnectionError('x', 'refused') } as const
const NO_DRIVER = new StorageError('UNSUPPORTED', 'no driver')

function outcome(...failures: StartOutcome['failures']): StartOutcome {
  return { failures, isUsable: true, hasDatabase: true }
}

test('an outage hinders no start', () => {
  expect(startError(outcome(OUTAGE), false)).toBeUndefined()
})

test('what never mends does, unless it is allowed, and the message says how', () => {
  const error = startError(outcome(OUTAGE, WRONG_PASSWORD), false)
  expect(error).toMatchObject({ code: 'CONNECTION', permanent: true, place: 'primary' })
  expect(error!.message).toBe(
    'primary: wrong password (allowDegradedStart: true opens the store all the same)',
  )
  expect(startError(outcome(WRONG_PASSWORD), true)).toBeUndefined()
})

test('one reason of two places is told once, and nothing is offered that is of no use', () => {
  const failures = [
    { place: 'primary', error: NO_DRIVER },
    { place: 'backup', error: NO_DRIVER },
  ] as const
  const error = startError({ failures, isUsable: true, hasDatabase: false }, false)
  expect(error).toMatchObject({ code: 'UNSUPPORTED', message: 'primary and backup: no driver' })
})

test('a damaged log hinders it whatever is allowed: its entries would be lost silently', () => {
  const damaged = { place: 'wal', error: new StorageError('CORRUPT', 'damaged') } as const
  expect(startError(outcome(WRONG_PASSWORD, damaged), true)).toBe(damaged.error)
})

test('without a durable place it does not start, and each place says why', () => {
  const nothing = { failures: [WRONG_PASSWORD, OUTAGE], isUsable: false, hasDatabase: false }
  const { message } = startError(nothing, true)!
  expect(message).toBe('no durable place: primary: wrong password; backup: refused')
})

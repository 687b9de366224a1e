import { expect, test } from 'vitest'
import { StorageError } from '../../../core/errors.ts'
import { isSerializationFailure, isStatementError, postgresError } from './postgres-error.ts'

function serverError(code: string, severity = 'ERROR'): Error {
  return Object.assign(new Error(`state ${code}`), { code, severity })
}

function socketError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

const sent = { operation: 'apply', committing: true, committed: false }
const unsent = { operation: 'apply', committing: false, committed: false }

test.each([
  ['a value that cannot be stored', serverError('22021'), 'REJECTED', 'none'],
  ['a row that is too big', serverError('54000'), 'REJECTED', 'none'],
  ['a statement that took too long', serverError('57014'), 'TIMEOUT', 'none'],
  ['a serialization failure', serverError('40001'), 'UNAVAILABLE', 'none'],
  ['a full disk', serverError('53100'), 'UNAVAILABLE', 'none'],
  ['a damaged page', serverError('XX001'), 'CORRUPT', 'unknown'],
  ['a shutdown', serverError('57P01', 'FATAL'), 'UNAVAILABLE', 'unknown'],
  [
    'a shutdown in another language',
    serverError('57P01', 'SCHWERWIEGEND'),
    'UNAVAILABLE',
    'unknown',
  ],
  ['a reset', socketError('ECONNRESET'), 'UNAVAILABLE', 'unknown'],
  ['a broken pipe, whose code has five letters', socketError('EPIPE'), 'UNAVAILABLE', 'unknown'],
])('%s while a commit is under way', (_name, error, code, effect) => {
  expect(postgresError(error, sent)).toMatchObject({ code, effect, cause: error })
})

test.each([serverError('57P01', 'FATAL'), socketError('ECONNREFUSED'), socketError('ECONNRESET')])(
  '%s before anything was sent has no effect',
  (error) => {
    expect(postgresError(error, unsent).effect).toBe('none')
  },
)

test('after a commit every failure is of unknown effect', () => {
  const error = postgresError(serverError('22021'), { ...sent, committed: true })
  expect(error.effect).toBe('unknown')
})

test('an error of ours stays what it is', () => {
  const error = new StorageError('CLOSED', 'closed')
  expect(postgresError(error, sent)).toBe(error)
})

test('a connection is used again only after an error that leaves it whole', () => {
  expect(isStatementError(serverError('22021'))).toBe(true)
  expect(isStatementError(serverError('57P01', 'FATAL'))).toBe(false)
  expect(isStatementError(serverError('26000'))).toBe(false)
  expect(isStatementError(socketError('EPIPE'))).toBe(false)
})

test('deadlocks and serialization failures are worth another try', () => {
  expect(isSerializationFailure(serverError('40P01'))).toBe(true)
  expect(isSerializationFailure(serverError('40001'))).toBe(true)
  expect(isSerializationFailure(serverError('22021'))).toBe(false)
})

import { expect, test } from 'vitest'
import { invalid } from './errors.ts'
import { checkFields, refuseUnknown, within } from './options.ts'

test('an unknown field is refused by its path, with the one that may be meant', () => {
  const check = (given: object): void =>
    refuseUnknown('read.config', given, ['maxRetries', 'timeout'])
  expect(() => check({ timeout: 1 })).not.toThrow()
  expect(() => check({ maxRetry: 1 })).toThrow(
    'read.config.maxRetry is not known; known are maxRetries, timeout',
  )
  expect(() => check({ timeuot: 1 })).toThrow('did you mean timeout?')
  expect(() => refuseUnknown('', { poolsize: 3 }, { poolSize: true })).toThrow(
    'poolsize is not known; did you mean poolSize?',
  )
})

test('a name that is like none is not guessed', () => {
  expect(() => refuseUnknown('', { colour: 1 }, ['timeout'])).toThrow(
    'colour is not known; known are timeout',
  )
})

test.each([null, 'text', [], 7])('%j has no fields', (value) => {
  expect(() => checkFields('health', value as never, ['a'])).toThrow('health must be an object')
})

test('an error within an object names the path to it', () => {
  const fail = (message: string) => () => {
    throw invalid(message)
  }
  const check = (message: string) => () => within('database', fail(message))
  expect(check('port must be an integer')).toThrow('database.port must be an integer')
  expect(check('pool.max must be 1')).toThrow('database.pool.max must be 1')
  expect(check('a Cluster has only db 0')).toThrow('database: a Cluster has only db 0')
})

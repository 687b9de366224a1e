import { expect, test } from 'vitest'
import { StorageConnectionError } from '../core/errors.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { isTemporary } from './transfer/retry.ts'

test('what no later try mends is a mistake of usage, and is not tried again', () => {
  const refused = new StorageConnectionError('postgresql', 'wrong password', { permanent: true })
  expect([exitCodeOf(refused), isTemporary(refused)]).toEqual([EXIT.usage, false])
  const away = new StorageConnectionError('postgresql', 'connection refused')
  expect([exitCodeOf(away), isTemporary(away)]).toEqual([EXIT.unavailable, true])
})

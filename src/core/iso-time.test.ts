import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isoTime } from './iso-time.ts'

test('a time is written as Date writes it', () => {
  const days = [0, 1, 86_399_999, 86_400_000, 951_782_399_999, 951_782_400_000, 253_402_300_799_999]
  for (const ms of days) expect(isoTime(ms)).toBe(new Date(ms).toISOString())
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (ms) => {
      expect(isoTime(ms)).toBe(new Date(ms).toISOString())
    }),
  )
})

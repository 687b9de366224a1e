import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isDateTime, isoTime } from './iso-time.ts'

test('a time is written as Date writes it', () => {
  const days = [0, 1, 86_399_999, 86_400_000, 951_782_399_999, 951_782_400_000, 253_402_300_799_999]
  for (const ms of days) expect(isoTime(ms)).toBe(new Date(ms).toISOString())
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (ms) => {
      expect(isoTime(ms)).toBe(new Date(ms).toISOString())
    }),
  )
})

test('a time of RFC 3339 is known by its form and its days', () => {
  const times = [
    '2026-01-01T00:00:00Z',
    '2026-01-01t23:59:59.123456789z',
    '1990-12-31T15:59:60-08:00',
    '2024-02-29T12:00:00+05:30',
    '2000-02-29T00:00:00-00:00',
    new Date(0).toISOString(),
  ]
  for (const time of times) expect(isDateTime(time), time).toBe(true)
  const others: unknown[] = [
    ['no', '', '2026', '2026-01-01', '2026-01-01T00:00:00', '2026-01-01 00:00:00Z', '12:00:00Z'],
    ['2026-00-01T00:00:00Z', '2026-13-01T00:00:00Z', '2026-04-31T00:00:00Z'],
    ['2023-02-29T00:00:00Z', '1900-02-29T00:00:00Z', '2026-01-00T00:00:00Z'],
    ['2026-01-01T24:00:00Z', '2026-01-01T00:60:00Z', '2026-01-01T00:00:61Z'],
    ['2026-01-01T00:00:00+24:00', '2026-01-01T00:00:00+0100', '2026-01-01T00:00:00.Z'],
    ['+002026-01-01T00:00:00Z', ' 2026-01-01T00:00:00Z', 'Thu, 01 Jan 2026 00:00:00 GMT'],
    [0, null, undefined, new Date(0), ['2026-01-01T00:00:00Z']],
  ].flat()
  for (const other of others) expect(isDateTime(other), String(other)).toBe(false)
})

test('whatever Date writes is such a time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
      expect(isDateTime(new Date(ms).toISOString())).toBe(true)
    }),
  )
})

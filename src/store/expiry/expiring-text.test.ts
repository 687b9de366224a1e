import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeJson, encodeJson, isJson } from '../../core/json.ts'
import { EXPIRES_AT_MAX, expiryOf, isExpired, withExpiry } from './expiring-text.ts'

test('the time comes back, and the text stays the same value for whoever does not know of it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: EXPIRES_AT_MAX }), fc.jsonValue(), (expiresAt, value) => {
      const text = encodeJson(value)
      const expiring = withExpiry(text, expiresAt)
      expect(expiryOf(expiring)).toBe(expiresAt)
      expect(isJson(expiring)).toBe(true)
      expect(decodeJson(expiring)).toEqual(decodeJson(text))
      expect(expiryOf(text)).toBeUndefined()
    }),
  )
})

test('a value is gone at its time and not a millisecond before', () => {
  const text = withExpiry(encodeJson(1), 1_000)
  expect([isExpired(text, 999), isExpired(text, 1_000), isExpired(text, 1_001)]).toEqual([
    false,
    true,
    true,
  ])
  expect(isExpired(encodeJson('\n'), Number.MAX_SAFE_INTEGER)).toBe(false)
})

test('white space that is no time is none', () => {
  expect(expiryOf('\n1')).toBeUndefined()
  expect(expiryOf('')).toBeUndefined()
  expect(expiryOf('\n'.repeat(24) + '1')).toBeUndefined()
})

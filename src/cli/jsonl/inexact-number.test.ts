import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inexactNumber } from './inexact-number.ts'

test.each([
  ['[12345678901234567890]', '12345678901234567890'],
  ['{"a":"12345678901234567890","b":9007199254740993}', '9007199254740993'],
  ['[0.1234567890123456789]', '0.1234567890123456789'],
  ['[1e400]', '1e400'],
  ['["\\\\",12345678901234567890]', '12345678901234567890'],
])('%s has a number that would change', (text, number) => {
  expect(inexactNumber(text)).toBe(number)
})

test.each([
  '["12345678901234567890 \\" 12345678901234567890"]',
  '[1e3,1.0,15E-1,100000000000000000000,1.7976931348623157e308,5e-324,-0]',
  '{"12345678901234567890":1}',
  '["4e5","12345678901234567890\\\\"]',
])('%s comes back as it is', (text) => {
  expect(inexactNumber(text)).toBeUndefined()
})

test('nothing that JSON.stringify writes would change', () => {
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: 'large' }), (value) => {
      expect(inexactNumber(JSON.stringify(value))).toBeUndefined()
    }),
  )
})

test('a number with a million zeros is judged as fast as any text', () => {
  const zeros = '0'.repeat(1_000_000)
  expect(inexactNumber(`[1.1${zeros}1]`)).toBe(`1.1${zeros}1`)
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareText } from './text.ts'

test('texts are ordered as their UTF-8 bytes are', () => {
  const text = fc.string({ unit: 'binary', maxLength: 6 }).filter((any) => any.isWellFormed())
  const near = fc.constantFrom('\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{1f600}', '\u{10ffff}')
  const either = fc.oneof(
    text,
    fc.array(near, { maxLength: 3 }).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(either, either, (a, b) => {
      const expected = Buffer.compare(Buffer.from(a), Buffer.from(b))
      expect(Math.sign(compareText(a, b))).toBe(expected)
    }),
    { numRuns: 2_000 },
  )
})

test('a text that continues another comes after it', () => {
  expect(compareText('a', 'ab')).toBeLessThan(0)
  expect(compareText('a', 'a')).toBe(0)
  expect(compareText('', 'a')).toBeLessThan(0)
})

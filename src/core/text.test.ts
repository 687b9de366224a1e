import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareText, prefixEnd } from './text.ts'

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

test.each(['a', 'a%_', 'z\u{10FFFF}', '\uD7FF', '\u{1F600}', '\uFFFF', 'a\u{10FFFF}\u{10FFFF}'])(
  'texts with the prefix %j are below its end, and texts after them are not',
  (prefix) => {
    const end = prefixEnd(prefix)!
    expect(end.isWellFormed()).toBe(true)
    for (const rest of ['', 'a', '\u{10FFFF}', '\u{10FFFF}\u{10FFFF}']) {
      expect(compareText(prefix + rest, end)).toBeLessThan(0)
    }
    expect(end.startsWith(prefix)).toBe(false)
  },
)

test('what has no end has none', () => {
  expect(prefixEnd('')).toBeUndefined()
  expect(prefixEnd('\u{10FFFF}')).toBeUndefined()
})

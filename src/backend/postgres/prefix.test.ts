import { expect, test } from 'vitest'
import { compareText } from '../../core/text.ts'
import { prefixEnd } from './prefix.ts'

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
  expect(prefixEnd('')).toBeNull()
  expect(prefixEnd('\u{10FFFF}')).toBeNull()
})

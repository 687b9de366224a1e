import { expect, test } from 'vitest'
import { compareText } from '../../../core/text.ts'
import { groupOf, prefixEnd } from './prefix.ts'

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

test.each([
  ['', undefined],
  ['chat/', undefined],
  ['chat/4:acme', undefined],
  ['chat/4:acme:', 'chat/4:acme'],
  ['chat/4:acme:conversation', 'chat/4:acme'],
  // A tenant may be empty, or have colons in its name: then it shares its group.
  ['chat/0::', 'chat/0:'],
  ['chat/3:a:b:', 'chat/3:a'],
])('all keys that start with %j are in the group %j', (prefix, group) => {
  expect(groupOf(prefix)).toBe(group)
})

import { expect, test } from 'vitest'
import { checkInteger, checkPrefix, checkText } from './limits.ts'

test.each<readonly [string, unknown, RegExp]>([
  ['not a string', 5, /key must be a string, got number/],
  ['empty', '', /key must not be empty/],
  ['too long', 'xxxxx', /at most 4 bytes, got 5/],
  ['too long in bytes', 'ééé', /at most 4 bytes, got 6/],
  ['NUL', 'a\0', /must not contain NUL, got "a\\u0000"/],
  ['a lone surrogate', 'a\ud800', /must not contain a lone surrogate, got "a\\ud800"/],
])('a text is refused when it is %s', (_what, text, message) => {
  expect(() => checkText('key', text, 4)).toThrow(message)
})

test('any other text is taken, and a prefix may be empty', () => {
  for (const text of ['a', '%_\\\'"', '\u{1f600}', ' ', '\u0001\n']) {
    expect(() => checkText('key', text, 9)).not.toThrow()
  }
  expect(() => checkPrefix('prefix', '', 4)).not.toThrow()
  expect(() => checkPrefix('prefix', 'a\0', 4)).toThrow(/NUL/)
})

test('an integer is taken within its bounds only', () => {
  expect(checkInteger('limit', 1, 1, 3)).toBe(1)
  expect(checkInteger('limit', 3, 1, 3)).toBe(3)
  for (const wrong of [0, 4, 1.5, Number.NaN, Infinity, '2', null, undefined, 2n]) {
    expect(() => checkInteger('limit', wrong, 1, 3)).toThrow(/limit must be an integer from 1 to 3/)
  }
})

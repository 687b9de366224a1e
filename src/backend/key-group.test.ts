import { expect, test } from 'vitest'
import { groupOf } from './key-group.ts'

test.each([
  ['', undefined],
  ['chat/', undefined],
  ['chat/4:acme', 'chat/4:acme'],
  ['chat/4:acme:', 'chat/4:acme'],
  ['chat/4:acme:conversation', 'chat/4:acme'],
  // A tenant may be empty, or have colons in its name.
  ['chat/0::', 'chat/0:'],
  ['chat/3:a:b:', 'chat/3:a:b'],
  ['chat/3:a:', undefined],
  ['chat/12345:a:b:', undefined],
  ['other:4:acme:', undefined],
])('all keys that start with %j are in the group %j', (prefix, group) => {
  expect(groupOf(prefix)).toBe(group)
})

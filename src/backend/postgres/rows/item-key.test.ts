import { expect, test } from 'vitest'
import { HASHED, itemKeyOf } from './item-key.ts'

test('an id that is a UUIDv7 is stored as it is and nothing else', () => {
  const id = '018bcfe5-6800-7000-8000-000000000001'
  expect(itemKeyOf(id)).toEqual({ item: id, text: null })
})

test.each([
  ['any text', 'call_1'],
  ['another version of UUID', '018bcfe5-6800-4000-8000-000000000001'],
  ['uppercase', '018BCFE5-6800-7000-8000-000000000001'],
  ['a UUIDv7 that would stand among the hashed ones', 'ff8bcfe5-6800-7000-8000-000000000001'],
])('%s is hashed to a uuid above every position', (_name, id) => {
  const { item, text } = itemKeyOf(id)
  expect(text).toBe(id)
  expect(item).toMatch(/^ff[0-9a-f]{6}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
  expect(item > HASHED).toBe(true)
  expect(itemKeyOf(id)).toEqual({ item, text })
  expect(itemKeyOf(`${id} `).item).not.toBe(item)
})

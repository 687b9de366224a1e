import { expect, test } from 'vitest'
import { cachedValue } from './cached-value.ts'

test('what is in a cache and no JSON reads as absent', () => {
  expect(['no json', '', '{"a":'].map(cachedValue)).toEqual([undefined, undefined, undefined])
  expect(cachedValue('{"a":1}')).toEqual({ a: 1 })
})

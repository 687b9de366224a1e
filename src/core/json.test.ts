import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeJson, encodeJson, type JsonText } from './json.ts'
import { VALUE_BYTES_MAX, VALUE_DEPTH_MAX } from './limits.ts'

test('JSON of any kind comes back as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      // -0 is written as 0: JSON.stringify has no sign for it.
      expect(decodeJson(encodeJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('NUL and lone surrogates are written as escapes', () => {
  const text = encodeJson('a\0\ud800\udc00\ud800')
  expect(text).toBe('"a\\u0000\ud800\udc00\\ud800"')
  expect(text.isWellFormed()).toBe(true)
})

test.each<readonly [string, unknown, RegExp]>([
  ['undefined', undefined, /value must be JSON, got undefined/],
  ['a function', { a: () => 1 }, /value\.a must be JSON, got function/],
  ['a symbol', [Symbol('s')], /value\[0\] must be JSON, got symbol/],
  ['a big integer', { a: [1n] }, /value\.a\[0\] must be JSON, got bigint/],
  ['NaN', { n: Number.NaN }, /value\.n must be finite, got NaN/],
  ['an infinity', [-Infinity], /value\[0\] must be finite/],
  ['a hole of undefined in an array', [undefined], /value\[0\] must be JSON/],
  ['a map', { m: new Map() }, /value\.m must be JSON, got Map/],
  ['a set', new Set(), /value must be JSON, got Set/],
  ['bytes', { b: new Uint8Array(1) }, /value\.b must be JSON, got Uint8Array/],
  ['a promise', [Promise.resolve()], /value\[0\] must be JSON, got Promise/],
  ['a regular expression', /x/, /value must be JSON, got RegExp/],
])('%s is refused, and the message names where', (_what, value, message) => {
  expect(() => encodeJson(value)).toThrow(message)
})

test('a cycle is refused', () => {
  const cycle: unknown[] = []
  cycle.push({ cycle })
  expect(() => encodeJson(cycle)).toThrow(/nested at most 200 deep and without cycles/)
})

test('a value of the greatest depth and length is taken, one more is refused', () => {
  const nested = (depth: number): unknown => {
    let value: unknown = 1
    for (let i = 0; i < depth; i++) value = [value]
    return value
  }
  expect(decodeJson(encodeJson(nested(VALUE_DEPTH_MAX)))).toEqual(nested(VALUE_DEPTH_MAX))
  expect(() => encodeJson(nested(VALUE_DEPTH_MAX + 1))).toThrow(/deep/)
  expect(encodeJson('x'.repeat(VALUE_BYTES_MAX - 2))).toHaveLength(VALUE_BYTES_MAX)
  expect(() => encodeJson('x'.repeat(VALUE_BYTES_MAX - 1))).toThrow(/at most 4194304 bytes/)
  // The limit counts bytes, not characters.
  expect(() => encodeJson('é'.repeat(VALUE_BYTES_MAX / 2))).toThrow(/bytes/)
})

test('dates and other objects with toJSON become what it returns', () => {
  expect(encodeJson({ at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}')
  expect(() => encodeJson({ toJSON: () => () => 1 })).toThrow(/must be JSON/)
})

test('an absent field and an undefined one are the same', () => {
  expect(encodeJson({ a: undefined, b: 1 })).toBe('{"b":1}')
})

test('a field named __proto__ stays an own field and changes no prototype', () => {
  const value = decodeJson<object>('{"__proto__":{"x":1}}' as JsonText)
  expect(Object.keys(value)).toEqual(['__proto__'])
  expect(encodeJson(value)).toBe('{"__proto__":{"x":1}}')
  expect('x' in { ...value }).toBe(false)
})

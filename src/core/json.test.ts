import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeJson, encodeJson, parseJson, type JsonText } from './json.ts'
import { VALUE_BYTES_MAX, VALUE_DEPTH_MAX } from './limits.ts'

class Secret {
  readonly #word = 'x'
  get length(): number {
    return this.#word.length
  }
}

class Money {
  toJSON(): string {
    return '1 EUR'
  }
}

class Disguised extends Date {
  override toJSON(): string {
    return 'today'
  }
}

function* words(): Generator<string> {
  yield 'x'
}

function heir(): object {
  return Object.create(Object.assign(Object.create(null), { a: 1 })) as object
}

function caught(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

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
  ['an error', { e: new TypeError('no') }, /value\.e must be JSON, got TypeError/],
  ['an aggregate error', new AggregateError([1]), /value must be JSON, got AggregateError/],
  ['a buffer', [Buffer.from('x')], /value\[0\] must be JSON, got Buffer/],
  ['a blob', { b: new Blob(['x']) }, /value\.b must be JSON, got Blob/],
  ['headers', new Headers({ a: '1' }), /value must be JSON, got Headers/],
  ['search parameters', new URLSearchParams('a=1'), /must be JSON, got URLSearchParams/],
  ['a URL', new URL('http://localhost'), /must be JSON, got URL/],
  ['a stream', { s: new ReadableStream() }, /value\.s must be JSON, got ReadableStream/],
  ['a generator', words(), /must be JSON/],
  ['an iterator', { i: [1].values() }, /value\.i must be JSON/],
  ['a class with private fields', new Secret(), /value must be JSON, got Secret/],
  [
    'an object that inherits from another',
    Object.create({ a: 1 }),
    /value must be JSON, got Object/,
  ],
  ['an object that inherits from one without a prototype', heir(), /must be JSON, got an object/],
  ['a boxed string', [Object('x')], /value\[0\] must be JSON, got String/],
  ['an invalid date', { at: new Date(Number.NaN) }, /value\.at must be JSON, got an invalid date/],
  ['a date that says something else', [new Disguised(0)], /value\[0\] must be JSON, got Disguised/],
  ['toJSON of a class', new Money(), /value must be JSON, got Money/],
  [
    'toJSON of a plain object',
    [{ toJSON: () => 1 }],
    /value\[0\] must be JSON, got an object with/,
  ],
  [
    'toJSON of an array',
    Object.assign([1], { toJSON: () => 2 }),
    /must be JSON, got an object with/,
  ],
  ['a map of another realm', runInNewContext('new Map()'), /value must be JSON, got Map/],
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

test('a valid date becomes its ISO text, also one of another realm or of a subclass', () => {
  const foreign: unknown = runInNewContext('new Date(0)')
  class FakeDate extends Date {}
  for (const at of [new Date(0), foreign, new FakeDate(0)]) {
    expect(encodeJson({ at })).toBe('{"at":"1970-01-01T00:00:00.000Z"}')
  }
})

test('an object of another realm or without a prototype is a plain one', () => {
  const foreign: unknown = runInNewContext('({ a: [{ b: 1 }] })')
  expect(encodeJson(foreign)).toBe('{"a":[{"b":1}]}')
  expect(encodeJson(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}')
})

test('-0 is written as 0', () => {
  expect(encodeJson([-0])).toBe('[0]')
})

test('the message for something deep is short, and has both ends of the path', () => {
  let deep: unknown = Number.NaN
  for (let i = 0; i < 150; i++) deep = { ['field'.repeat(100)]: deep }
  const error = caught(() => encodeJson({ first: [deep] }))
  expect(error.message).toMatch(/^value\.first\[0\]\.field.*….*field must be finite, got NaN$/)
  expect(error.message.length).toBeLessThan(300)
})

test('a value whose parts are shared costs no more than its text may be long', () => {
  let shared: unknown = 'x'
  for (let i = 0; i < 100; i++) shared = { a: shared, b: shared }
  expect(() => encodeJson(shared)).toThrow(/at most 4194304 bytes of JSON, got more/)
  const long = 'x'.repeat(VALUE_BYTES_MAX / 4)
  expect(() => encodeJson(Array.from({ length: 1_000 }, () => long))).toThrow(/at most 4194304/)
})

test('what throws while it is read is refused', () => {
  const getter = {
    get a(): never {
      throw new RangeError('not now')
    },
  }
  expect(caught(() => encodeJson(getter))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'value cannot be read: not now',
  })
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  expect(caught(() => encodeJson([proxy]))).toMatchObject({ code: 'INVALID_ARGUMENT' })
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

test.each([
  ['{"password":hunter2hunter2}', "Unexpected token 'h'"],
  ['hunter2', "Unexpected token 'h'"],
  ['["hunter2",]', "Unexpected token ']'"],
  ['{"hunter2" 1}', "Expected ':' after property name in JSON at position 11"],
  ['', 'Unexpected end of JSON input'],
])('what is no JSON is not quoted: %s', (text, message) => {
  const error = caught(() => parseJson(text)) as Error
  expect(error).toBeInstanceOf(SyntaxError)
  expect(error.message.startsWith(message)).toBe(true)
  expect(error.message).not.toContain('hunter')
  // The cause is logged with the error.
  expect(inspect(caught(() => decodeJson(text as JsonText)))).not.toContain('hunter')
})

import { expect, test } from 'vitest'
import {
  boolean,
  byDefault,
  either,
  fields,
  integer,
  list,
  ms,
  needed,
  oneOf,
} from './option-kinds.ts'
import { secret, text } from './option-kinds.ts'
import { pick, resolve, resolveQuery, withUrl, type OptionTable } from './options.ts'

interface Options {
  readonly name: string
  readonly timeoutMs?: number
  readonly mode?: 'fast' | 'safe'
  readonly nodes?: readonly { readonly port: number }[]
  readonly tls?: boolean | { readonly ca: string }
  readonly password?: string
}

const TABLE: OptionTable<Options, 'timeoutMs'> = {
  name: needed(text(8)),
  timeoutMs: byDefault(500, ms(1, 1_000)),
  mode: oneOf('fast', 'safe'),
  nodes: list(fields({ port: needed(integer(1, 9)) }), 1),
  tls: either(boolean(), fields({ ca: needed(text()) })),
  password: secret(),
}

// A table that is not exactly that of its type does not compile.
// @ts-expect-error a field is missing
export const lacking: OptionTable<{ readonly a?: number; readonly b?: number }> = {
  a: integer(0, 1),
}
export const more: OptionTable<{ readonly a?: number }> = {
  a: integer(0, 1),
  // @ts-expect-error a field is too many
  b: integer(0, 1),
}
export const wrongs: OptionTable<
  { readonly a: number; readonly b?: number; readonly c?: string },
  'b'
> = {
  // @ts-expect-error it is not said to be needed
  a: integer(0, 1),
  // @ts-expect-error it has no default
  b: integer(0, 1),
  // @ts-expect-error another type
  c: boolean(),
}

test('what is left out, or undefined, has its default or is not there', () => {
  expect(resolve('', { name: 'a', mode: undefined }, TABLE)).toEqual({ name: 'a', timeoutMs: 500 })
  const all = { name: 'a', timeoutMs: 1, nodes: [{ port: 1 }], tls: { ca: 'x' } }
  expect(resolve('', all, TABLE)).toEqual(all)
})

test.each<[unknown, string]>([
  [{ name: 'a', timeuotMs: 1 }, 'db.timeuotMs is not known; did you mean timeoutMs?'],
  [{ name: 'a', colour: 1 }, 'db.colour is not known; known are name, timeoutMs, mode, nodes'],
  [{ name: 'a', tpyo: undefined }, 'db.tpyo is not known'],
  [{}, 'db.name must be a string, got undefined'],
  [{ name: 'a', timeoutMs: 0 }, 'db.timeoutMs must be an integer from 1 to 1000 ms, got 0'],
  [{ name: 'a', mode: 'slow' }, 'db.mode must be fast or safe, got "slow"'],
  [{ name: 'a', nodes: [] }, 'db.nodes must not be empty'],
  [{ name: 'a', nodes: [{ prot: 1 }] }, 'db.nodes[0].prot is not known; did you mean port?'],
  [{ name: 'a', tls: 'yes' }, 'db.tls must be boolean or an object, got a string'],
  [{ name: 'a', tls: {} }, 'db.tls.ca must be a string, got undefined'],
  [null, 'db must be an object, got null'],
  ['text', 'db must be an object, got a string'],
  [[], 'db must be an object, got an array'],
])('%j is refused by the path', (given, message) => {
  expect(() => resolve('db', given, TABLE)).toThrow(message)
})

test('the argument of a constructor has no path, and its fields are read once', () => {
  expect(() => resolve('', null, TABLE)).toThrow(/^options must be an object, got null$/)
  expect(() => resolve('', { nam: 1 }, TABLE)).toThrow(/^nam is not known; did you mean name\?/)
  let reads = 0
  const given = {
    get name() {
      return reads++ === 0 ? 'a' : 7
    },
  }
  expect(resolve('', given, TABLE)).toMatchObject({ name: 'a' })
  const hostile = new Proxy({}, { ownKeys: () => [].at(0)! })
  expect(() => resolve('', hostile, TABLE)).toThrow(/^options cannot be read/)
})

test('no secret is shown', () => {
  const password = 'hunter2\ud800'
  expect(() => resolve('', { name: 'a', password }, TABLE)).toThrow('got a string')
  expect(() => resolve('', { name: 'a', password }, TABLE)).not.toThrow(/hunter/)
})

test('the query of a URL is text that the same table checks', () => {
  const parse = (query: string): unknown =>
    resolveQuery('url', new URLSearchParams(query), {
      timeoutMs: TABLE.timeoutMs,
      mode: TABLE.mode,
    })
  expect(parse('timeoutMs=7&mode=safe')).toEqual({ timeoutMs: 7, mode: 'safe' })
  expect(() => parse('timeoutMs=1e3')).toThrow('url.timeoutMs must be an integer from 1 to 1000 ms')
  expect(() => parse('timeoutMs=')).toThrow('url.timeoutMs')
  expect(() => parse('mod=safe')).toThrow('url.mod is not known; did you mean mode?')
  expect(() => parse('mode=safe&mode=fast')).toThrow('url.mode must be given once')
})

test('a field wins over its part of the url, and undefined is no field', () => {
  const parse = (url: string): object => ({ name: url, timeoutMs: 2 })
  const given = { url: 'u', timeoutMs: 3, name: undefined }
  expect(withUrl('', given, parse)).toEqual({ name: 'u', timeoutMs: 3 })
  expect(() => withUrl('db', { url: 7 }, parse)).toThrow('db.url must be a URL, got number')
})

test('of resolved options those of a part are picked', () => {
  const resolved = resolve('', { name: 'a', mode: 'fast' }, TABLE)
  expect(pick({ mode: TABLE.mode }, resolved)).toEqual({ mode: 'fast' })
})

import { types } from 'node:util'
import { invalid, messageOf, StorageError } from './errors.ts'
import { reading } from './given.ts'
import { VALUE_BYTES_MAX, VALUE_DEPTH_MAX } from './limits.ts'

/** JSON exactly as `JSON.stringify` wrote it. Stores keep this text, so any Unicode survives. */
export type JsonText = string & { readonly __json: unique symbol }

/** Longest path in a message: what is nested deeply has a path as long as its depth. Characters. */
const PATH_LENGTH_MAX = 200

/**
 * Writes a value as JSON text, or refuses what would come back changed. Taken are strings, finite
 * numbers, booleans, null, arrays, plain objects (also of another realm or without a prototype), and
 * valid dates, which become their ISO 8601 text. All else is refused, whatever its `toJSON` would say:
 * instances of other classes, functions, symbols, big integers, `undefined` but as a field, cycles,
 * and what is too long or too deep.
 *
 * As `JSON.stringify` does, it takes a field that is `undefined` as absent, leaves out fields that are
 * named by symbols or cannot be enumerated, and writes `-0` as `0`.
 *
 * @throws StorageError `INVALID_ARGUMENT`, naming the path.
 */
export function encodeJson(value: unknown, name = 'value'): JsonText {
  const text = stringify(value, name)
  // A UTF-16 unit is at most three bytes: most texts need no second look.
  if (text.length * 3 > VALUE_BYTES_MAX) {
    const bytes = Buffer.byteLength(text)
    if (bytes > VALUE_BYTES_MAX) throw tooLong(name, `${bytes}`)
  }
  return text as JsonText
}

/**
 * Reads back what `encodeJson` wrote. A field named `__proto__` stays an ordinary own field: it is
 * safe to spread the result, not to `Object.assign` it.
 *
 * @throws StorageError `CORRUPT` for a text that it never wrote.
 */
export function decodeJson<T>(text: JsonText): T {
  try {
    return parseJson(text) as T
  } catch (cause) {
    throw new StorageError('CORRUPT', 'a stored value is not JSON', { cause })
  }
}

/**
 * As `JSON.parse`, whose error quotes the text around the mistake: that may be a password or a message,
 * and errors are logged.
 *
 * @throws SyntaxError without any of the text.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // `Unexpected token 'h', ..."rd":hunter2"... is not valid JSON`: the first part will do.
    const [what = ''] = messageOf(error).split(/,? (?:\.{3})?"|^"/, 1)
    throw new SyntaxError(what === '' ? 'not valid JSON' : what)
  }
}

/** True for what `decodeJson` can read. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The text of a value of JSON with its fields in the order of their names: the same for equal values. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  const texts = fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`)
  return `{${texts.sort().join(',')}}`
}

function stringify(value: unknown, name: string): string {
  return reading(name, () => {
    const walk: Walk = { length: 0, path: [] }
    const problem = check(value, 0, walk)
    if (problem === TOO_LONG) throw tooLong(name, 'more')
    if (problem !== undefined) throw invalid(`${pathOf(name, walk.path)} ${problem}`)
    return JSON.stringify(value)
  })
}

/** What one pass over a value gathers. */
interface Walk {
  /** At most as long as the text of what was seen so far: it bounds the walk, also of shared parts. */
  length: number
  /** Where the problem is, the innermost step first. Made on the way out, so that good values do not pay. */
  readonly path: (string | number)[]
}

const TOO_LONG = 'too long'

/** What is wrong with the value, or undefined. */
function check(value: unknown, depth: number, walk: Walk): string | undefined {
  if (++walk.length > VALUE_BYTES_MAX) return TOO_LONG
  switch (typeof value) {
    case 'string':
      walk.length += value.length
      return undefined
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : `must be finite, got ${value}`
    case 'object':
      return value === null ? undefined : checkObject(value, depth, walk)
    default:
      return `must be JSON, got ${typeof value}`
  }
}

function checkObject(value: object, depth: number, walk: Walk): string | undefined {
  // A cycle is found here too: it is deeper than any limit.
  if (depth >= VALUE_DEPTH_MAX) {
    return `must be nested at most ${VALUE_DEPTH_MAX} deep and without cycles`
  }
  const isArray = Array.isArray(value)
  if (isArray || isPlain(value)) {
    // It would be written as what that says, which is another value.
    const { toJSON } = value as { readonly toJSON?: unknown }
    if (typeof toJSON === 'function') return 'must be JSON, got an object with toJSON'
    return isArray ? checkItems(value, depth, walk) : checkFields(value, depth, walk)
  }
  return types.isDate(value) ? checkDate(value) : `must be JSON, got ${classOf(value)}`
}

function checkItems(items: readonly unknown[], depth: number, walk: Walk): string | undefined {
  for (let i = 0; i < items.length; i++) {
    const problem = check(items[i], depth + 1, walk)
    if (problem !== undefined) {
      walk.path.push(i)
      return problem
    }
  }
  return undefined
}

function checkFields(value: object, depth: number, walk: Walk): string | undefined {
  for (const field of Object.keys(value)) {
    const inner: unknown = (value as Record<string, unknown>)[field]
    if (inner === undefined) continue
    walk.length += field.length
    const problem = check(inner, depth + 1, walk)
    if (problem !== undefined) {
      walk.path.push(field)
      return problem
    }
  }
  return undefined
}

/** True for an object of no class. Another realm, such as a context of node:vm, has an `Object` of its own. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  if (prototype === null || prototype === Object.prototype) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf')
}

/** A date that is written as what it is. One of a subclass may be, such as those of fake clocks. */
function checkDate(value: { getTime(): number; toJSON(): unknown }): string | undefined {
  // oxlint-disable-next-line no-restricted-globals -- it formats a time and reads no clock
  const { getTime, toISOString } = Date.prototype
  if (Number.isNaN(getTime.call(value))) return 'must be JSON, got an invalid date'
  const isItself = value.toJSON() === toISOString.call(value)
  return isItself ? undefined : `must be JSON, got ${classOf(value)}`
}

/** Names the class of an object in messages. */
export function classOf(value: object): string {
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name
  return typeof name === 'string' && name !== '' ? name.slice(0, PATH_LENGTH_MAX) : 'an object'
}

function tooLong(name: string, bytes: string): Error {
  return invalid(`${name} must be at most ${VALUE_BYTES_MAX} bytes of JSON, got ${bytes}`)
}

/** The path from the outside in; of a long one the beginning and the end. */
function pathOf(name: string, steps: readonly (string | number)[]): string {
  const path = steps.reduceRight<string>((outer, step) => {
    const text = typeof step === 'number' ? `[${step}]` : `.${step.slice(0, PATH_LENGTH_MAX)}`
    return outer + text
  }, name)
  const half = PATH_LENGTH_MAX / 2
  return path.length > PATH_LENGTH_MAX ? `${path.slice(0, half)}…${path.slice(-half)}` : path
}

import { invalid } from './errors.ts'
import { VALUE_BYTES_MAX, VALUE_DEPTH_MAX } from './limits.ts'

/** JSON exactly as `JSON.stringify` wrote it. Stores keep this text, so any Unicode survives. */
export type JsonText = string & { readonly __json: unique symbol }

/**
 * Writes a value as JSON text, or refuses what would come back changed: `undefined`, functions,
 * symbols, big integers, NaN and infinities, cycles, maps and sets, and what is too long or too
 * deep. Objects with `toJSON`, such as dates, become what it returns. An object's field that is
 * `undefined` counts as absent.
 *
 * @throws StorageError `INVALID_ARGUMENT`, naming the path.
 */
export function encodeJson(value: unknown, name = 'value'): JsonText {
  check(value, name, 0)
  const text = JSON.stringify(value) as JsonText
  // A UTF-16 unit is at most three bytes: most texts need no second look.
  if (text.length * 3 > VALUE_BYTES_MAX) {
    const bytes = Buffer.byteLength(text)
    if (bytes > VALUE_BYTES_MAX) {
      throw invalid(`${name} must be at most ${VALUE_BYTES_MAX} bytes of JSON, got ${bytes}`)
    }
  }
  return text
}

/**
 * Reads back what `encodeJson` wrote. A field named `__proto__` stays an ordinary own field: it is
 * safe to spread the result, not to `Object.assign` it.
 */
export function decodeJson<T>(text: JsonText): T {
  return JSON.parse(text) as T
}

function check(value: unknown, path: string, depth: number): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      if (!Number.isFinite(value)) throw invalid(`${path} must be finite, got ${value}`)
      return
    case 'object':
      if (value !== null) checkObject(value, path, depth)
      return
    default:
      throw invalid(`${path} must be JSON, got ${typeof value}`)
  }
}

function checkObject(value: object, path: string, depth: number): void {
  // A cycle is found here too: it is deeper than any limit.
  if (depth >= VALUE_DEPTH_MAX) {
    throw invalid(`${path} must be nested at most ${VALUE_DEPTH_MAX} deep and without cycles`)
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) check(value[i], `${path}[${i}]`, depth + 1)
    return
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    check((value as { toJSON: () => unknown }).toJSON(), path, depth + 1)
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype && isOpaque(value)) {
    throw invalid(`${path} must be JSON, got ${value.constructor?.name ?? 'an object'}`)
  }
  for (const field of Object.keys(value)) {
    const inner: unknown = (value as Record<string, unknown>)[field]
    if (inner !== undefined) check(inner, `${path}.${field}`, depth + 1)
  }
}

/** What JSON.stringify would silently write as an empty object. */
function isOpaque(value: object): boolean {
  return (
    value instanceof Map ||
    value instanceof Set ||
    value instanceof WeakMap ||
    value instanceof WeakSet ||
    value instanceof Promise ||
    value instanceof RegExp ||
    value instanceof ArrayBuffer ||
    ArrayBuffer.isView(value)
  )
}

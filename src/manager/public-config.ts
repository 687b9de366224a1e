import { redactText } from '../core/redact.ts'

const SECRET_FIELD = /password|passphrase|secret|token|^key$/i
const DEPTH_MAX = 8

/**
 * A configuration as it may be shown: frozen, passwords replaced by `***`. What is no plain data, such as
 * a client of the application's own, becomes `[given]`: its inside is not ours to read.
 */
export function publicConfig(value: unknown, secrets: readonly string[], depth = 0): unknown {
  if (typeof value === 'string') return redactText(value, secrets)
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'function' ? '[given]' : value
  }
  if (depth === DEPTH_MAX || !isPlain(value)) return '[given]'
  if (Array.isArray(value)) {
    return Object.freeze(value.map((each) => publicConfig(each, secrets, depth + 1)))
  }
  const fields = Object.entries(value).map(([name, inner]): [string, unknown] =>
    SECRET_FIELD.test(name) && inner !== undefined
      ? [name, '***']
      : [name, publicConfig(inner, secrets, depth + 1)],
  )
  return Object.freeze(Object.fromEntries(fields))
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}

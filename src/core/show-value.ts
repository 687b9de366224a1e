/** Longest text of a value in a message. Characters. */
const SHOWN_LENGTH_MAX = 60

/**
 * A caller's value in the message that refuses it: short, since a message's text does not belong into
 * logs. Never throws, whatever the value.
 */
export function showValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length > SHOWN_LENGTH_MAX
        ? `${JSON.stringify(value.slice(0, SHOWN_LENGTH_MAX))}…`
        : JSON.stringify(value)
    case 'object':
      if (Array.isArray(value)) return 'an array'
      return value === null ? 'null' : 'an object'
    case 'function':
      return 'a function'
    default:
      return String(value)
  }
}

/** The same without the content of a text, which may be a secret. */
export function showKind(value: unknown): string {
  return typeof value === 'string' ? 'a string' : showValue(value)
}

import { invalid } from './errors.ts'
import { showKind, showValue } from './show-value.ts'

export const MIB: number = 1024 * 1024
/** Longest key of the base layer, in UTF-8 bytes. */
export const KEY_BYTES_MAX = 1024
/** Longest message id, in UTF-8 bytes. */
export const MESSAGE_ID_BYTES_MAX = 1024
/** Longest conversation id, in UTF-8 bytes. */
export const CONVERSATION_ID_BYTES_MAX = 512
/** Longest tenant name, in UTF-8 bytes. */
export const TENANT_BYTES_MAX = 256
/** Longest JSON text of one value, in UTF-8 bytes. */
export const VALUE_BYTES_MAX: number = 4 * 1024 * 1024
/** Deepest nesting of one value. */
export const VALUE_DEPTH_MAX = 200
/** Most operations of one atomic group. */
export const GROUP_OPERATIONS_MAX = 1_000
/** Most bytes of one atomic group. */
export const GROUP_BYTES_MAX: number = 16 * 1024 * 1024
/** Most removals of one atomic group, beside its other operations. */
export const GROUP_REMOVALS_MAX = 10_000
/** Most operations and bytes that are coalesced into one call of an engine. */
export const BATCH_OPERATIONS_MAX = 256
export const BATCH_BYTES_MAX: number = 1024 * 1024
/** Most items of one page. */
export const PAGE_ITEMS_MAX = 1_000

/**
 * Refuses what a store could not give back: not a string, empty, too long, with NUL (PostgreSQL's
 * text has none) or with a lone surrogate (UTF-8 has none).
 */
export function checkText(name: string, text: unknown, bytesMax: number): asserts text is string {
  if (typeof text !== 'string') throw invalid(`${name} must be a string, got ${typeof text}`)
  if (text === '') throw invalid(`${name} must not be empty`)
  checkPrefix(name, text, bytesMax)
}

/** The same, but may be empty: a prefix. */
export function checkPrefix(name: string, text: unknown, bytesMax: number): asserts text is string {
  if (typeof text !== 'string') throw invalid(`${name} must be a string, got ${typeof text}`)
  if (text.length > bytesMax || Buffer.byteLength(text) > bytesMax) {
    throw invalid(`${name} must be at most ${bytesMax} bytes, got ${Buffer.byteLength(text)}`)
  }
  if (text.includes('\0'))
    throw invalid(`${name} must not contain NUL, got ${JSON.stringify(text)}`)
  if (!text.isWellFormed()) {
    throw invalid(`${name} must not contain a lone surrogate, got ${JSON.stringify(text)}`)
  }
}

/** Refuses anything but an integer within the bounds. */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
    throw invalid(`${name} must be an integer from ${min} to ${max}, got ${showValue(value)}`)
  }
  return value as number
}

/** Refuses null and what is not an object; a list is none either. */
export function checkObject(name: string, value: unknown): asserts value is object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw invalid(`${name} must be an object, got ${showKind(value)}`)
}

/** Refuses anything but an array, and one that has holes, which `map` passes over. */
export function checkArray(name: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${name} must be an array, got ${showValue(value)}`)
  for (let i = 0; i < value.length; i++) {
    if (!(i in value)) throw invalid(`${name}[${i}] is missing`)
  }
}

/** Refuses anything but one of these texts. */
export function checkOneOf(name: string, value: unknown, texts: readonly string[]): void {
  if (typeof value === 'string' && texts.includes(value)) return
  throw invalid(`${name} must be ${texts.join(' or ')}, got ${showValue(value)}`)
}

/** Refuses what cannot be called. */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function')
    throw invalid(`${name} must be a function, got ${showValue(value)}`)
}

/*
 * When a value expires is written before its JSON text, in white space: JSON may begin with it, so that
 * whatever reads the text otherwise (a release from before, an export, a comparison) finds the same value.
 * `encodeJson` never begins with white space.
 */
import { checkInteger } from '../../core/limits.ts'
import type { JsonText } from '../../core/json.ts'

/** Latest time: what 24 digits of two bits hold. Unix milliseconds. */
export const EXPIRES_AT_MAX: number = 2 ** 48 - 1
/** The digits 0 to 3. */
const DIGITS = ' \t\n\r'
const LENGTH = 24
/** The first character says that a time follows. */
const MARK = '\n'

/** The text of a value that is gone at this time. */
export function withExpiry(text: JsonText, expiresAt: number): JsonText {
  let digits = ''
  let rest = expiresAt
  for (let i = 0; i < LENGTH; i++) {
    digits = DIGITS[rest % 4]! + digits
    rest = Math.floor(rest / 4)
  }
  return (MARK + digits + text) as JsonText
}

/** When the value is gone, Unix milliseconds; undefined for one that stays. */
export function expiryOf(text: string): number | undefined {
  if (text[0] !== MARK) return undefined
  let expiresAt = 0
  for (let i = 1; i <= LENGTH; i++) {
    const digit = DIGITS.indexOf(text[i] ?? '?')
    if (digit < 0) return undefined
    expiresAt = expiresAt * 4 + digit
  }
  return expiresAt
}

/** True when the value is gone at that time. */
export function isExpired(text: string, nowMs: number): boolean {
  const expiresAt = expiryOf(text)
  return expiresAt !== undefined && expiresAt <= nowMs
}

/** Refuses what is no time. */
export function checkExpiresAt(name: string, expiresAt: unknown): asserts expiresAt is number {
  checkInteger(name, expiresAt, 0, EXPIRES_AT_MAX)
}

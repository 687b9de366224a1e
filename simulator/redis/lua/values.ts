import { LuaTable, type LuaValue } from './table.ts'

/** Digits of a number that becomes text. */
const DIGITS = 14

/** A number as text, as `%.14g` writes it. */
export function textOf(number: number): string {
  if (Number.isInteger(number) && Math.abs(number) < 10 ** DIGITS) return String(number)
  const [digits, exponent] = number.toPrecision(DIGITS).split('e') as [string, string?]
  const short = digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits
  if (exponent === undefined) return short
  return `${short}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`
}

/** The number that a value is or that its text says; undefined: it is none. */
export function numberOf(value: LuaValue): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  return /^[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)$/.test(text)
    ? Number(text)
    : undefined
}

/** What Lua calls the type of a value. */
export function typeOf(value: LuaValue): string {
  if (value === undefined) return 'nil'
  return value instanceof LuaTable ? 'table' : typeof value
}

import { packed, unpacked } from './message-pack.ts'
import { patternOf } from './pattern.ts'
import { LuaTable } from './table.ts'
import { numberOf, textOf, typeOf } from './values.ts'
import type { LuaFunction, LuaValue } from './table.ts'

const FORMAT = /%(0?)(\d*)(?:\.(\d+))?([dfs%])/g

function library(functions: Readonly<Record<string, LuaFunction>>): LuaTable {
  const table = new LuaTable()
  for (const [name, value] of Object.entries(functions)) table.set(name, value)
  return table
}

/** The functions of Lua that scripts of a log call. What is not here is an error of the script. */
export const LIBRARY: Readonly<Record<string, LuaValue>> = {
  ipairs: (table) => [nextOf, table, 0],
  tonumber: (value) => [numberOf(value)],
  tostring: (value) => [tostring(value)],
  type: (value) => [typeOf(value)],
  unpack: (table) => [...tableOf(table).list],
  string: library({
    format: (pattern, ...values) => [format(stringOf(pattern), values)],
    find: (text, wanted, from, plain) => {
      if (plain !== true) throw new Error('string.find: only plain text is supported')
      const at = stringOf(text).indexOf(stringOf(wanted), ((from as number | undefined) ?? 1) - 1)
      return at === -1 ? [undefined] : [at + 1, at + stringOf(wanted).length]
    },
    gmatch: (text, pattern) => {
      const found = stringOf(text).matchAll(patternOf(stringOf(pattern)))
      return [
        () => {
          const { value, done } = found.next()
          return done === true ? [undefined] : capturesOf(value)
        },
      ]
    },
    len: (text) => [stringOf(text).length],
    match: (text, pattern) => {
      const regex = patternOf(stringOf(pattern))
      regex.lastIndex = 0
      const found = regex.exec(stringOf(text))
      return found === null ? [undefined] : capturesOf(found)
    },
    sub: (text, from, to) => {
      const whole = stringOf(text)
      const place = (at: number): number => (at < 0 ? Math.max(whole.length + at + 1, 0) : at)
      const start = Math.max(place(numberOf(from) ?? 1), 1)
      return [whole.slice(start - 1, Math.max(start - 1, place(numberOf(to) ?? -1)))]
    },
  }),
  math: library({
    floor: (value) => [Math.floor(required(value))],
    max: (...values) => [Math.max(...values.map(required))],
    min: (...values) => [Math.min(...values.map(required))],
  }),
  cmsgpack: library({
    pack: (value) => [packed(value)],
    unpack: (text) => [unpacked(stringOf(text))],
  }),
}

function nextOf(table: LuaValue, at: LuaValue): LuaValue[] {
  const value = tableOf(table).get((at as number) + 1)
  return value === undefined ? [undefined] : [(at as number) + 1, value]
}

function capturesOf(found: RegExpExecArray): LuaValue[] {
  return found.length > 1 ? found.slice(1) : [found[0]]
}

function format(pattern: string, values: LuaValue[]): string {
  let at = 0
  return pattern.replace(FORMAT, (_, zero: string, width: string, digits = '6', kind: string) => {
    if (kind === '%') return '%'
    const value = values[at++]
    const text =
      kind === 's' ? tostring(value) : required(value).toFixed(kind === 'd' ? 0 : Number(digits))
    return text.padStart(Number(width), zero === '' ? ' ' : '0')
  })
}

function tostring(value: LuaValue): string {
  if (typeof value === 'number') return textOf(value)
  if (typeof value === 'string') return value
  return typeof value === 'boolean' ? String(value) : typeOf(value)
}

function stringOf(value: LuaValue): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return textOf(value)
  throw new Error(`string expected, got ${typeOf(value)}`)
}

function required(value: LuaValue): number {
  const number = numberOf(value)
  if (number === undefined) throw new Error(`number expected, got ${typeOf(value)}`)
  return number
}

function tableOf(value: LuaValue): LuaTable {
  if (value instanceof LuaTable) return value
  throw new Error(`table expected, got ${typeOf(value)}`)
}

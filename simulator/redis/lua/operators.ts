import { LuaTable } from './table.ts'
import { numberOf, textOf, typeOf } from './values.ts'
import type { LuaValue } from './table.ts'

type Arithmetic = '+' | '-' | '*' | '/' | '%' | '^'
type Comparison = '<' | '<=' | '>' | '>='

/** What a translated script calls for what JavaScript does otherwise. */
export const OPERATORS = {
  table(list: LuaValue[], named: readonly (readonly [LuaValue, LuaValue])[]): LuaTable {
    const table = new LuaTable(list)
    for (const [key, value] of named) table.set(key, value)
    return table
  },

  index(value: LuaValue, key: LuaValue): LuaValue {
    if (value instanceof LuaTable) return value.get(key)
    throw new Error(`attempt to index a ${typeOf(value)} value`)
  },

  setIndex(table: LuaValue, key: LuaValue, value: LuaValue): void {
    if (!(table instanceof LuaTable)) throw new Error(`attempt to index a ${typeOf(table)} value`)
    table.set(key, value)
  },

  length(value: LuaValue): number {
    if (typeof value === 'string') return value.length
    if (value instanceof LuaTable) return value.list.length
    throw new Error(`attempt to get length of a ${typeOf(value)} value`)
  },

  concat(a: LuaValue, b: LuaValue): string {
    return part(a) + part(b)
  },

  arithmetic(a: LuaValue, operator: Arithmetic, b: LuaValue): number {
    const x = operand(a)
    const y = operand(b)
    switch (operator) {
      case '+':
        return x + y
      case '-':
        return x - y
      case '*':
        return x * y
      case '/':
        return x / y
      case '%':
        return x - Math.floor(x / y) * y
      case '^':
        return x ** y
    }
  },

  compare(a: LuaValue, operator: Comparison, b: LuaValue): boolean {
    const isFit = typeof a === typeof b && (typeof a === 'number' || typeof a === 'string')
    if (!isFit) throw new Error(`attempt to compare ${typeOf(a)} with ${typeOf(b)}`)
    const [x, y] = [a as number, b as number]
    switch (operator) {
      case '<':
        return x < y
      case '<=':
        return x <= y
      case '>':
        return x > y
      case '>=':
        return x >= y
    }
  },
} as const

function part(value: LuaValue): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return textOf(value)
  throw new Error(`attempt to concatenate a ${typeOf(value)} value`)
}

function operand(value: LuaValue): number {
  const number = numberOf(value)
  if (number === undefined) {
    throw new Error(`attempt to perform arithmetic on a ${typeOf(value)} value`)
  }
  return number
}

import { LuaTable } from './table.ts'
import { typeOf } from './values.ts'
import type { LuaValue } from './table.ts'

/** A list of strings as MessagePack, one character for each byte. Nothing else is supported. */
export function packed(value: LuaValue): string {
  if (typeof value === 'string') return head(value.length, 0xa0, 31, [0xd9, 0xda, 0xdb]) + value
  if (value instanceof LuaTable) {
    const { list } = value
    return head(list.length, 0x90, 15, [undefined, 0xdc, 0xdd]) + list.map(packed).join('')
  }
  throw new Error(`MessagePack of a ${typeOf(value)} is not supported`)
}

/** The reverse of `packed`. */
export function unpacked(text: string): LuaValue {
  let at = 0
  const size = (bytes: number): number => {
    let value = 0
    for (let i = 0; i < bytes; i++) value = value * 256 + text.charCodeAt(at++)
    return value
  }
  const string = (length: number): string => text.slice(at, (at += length))
  const list = (length: number): LuaTable => {
    return new LuaTable(Array.from({ length }, () => next()))
  }
  function next(): LuaValue {
    const first = size(1)
    if (first >= 0xa0 && first <= 0xbf) return string(first - 0xa0)
    if (first >= 0xd9 && first <= 0xdb) return string(size(2 ** (first - 0xd9)))
    if (first >= 0x90 && first <= 0x9f) return list(first - 0x90)
    if (first === 0xdc || first === 0xdd) return list(size(first === 0xdc ? 2 : 4))
    throw new Error(`MessagePack with ${first} is not supported`)
  }
  return next()
}

/** Kind and length in 1, 2, 3 or 5 bytes; `kinds`: those with a length of 1, 2 and 4 bytes. */
function head(
  length: number,
  short: number,
  shortMax: number,
  kinds: readonly (number | undefined)[],
): string {
  if (length <= shortMax) return String.fromCharCode(short + length)
  const power = length < 2 ** 8 && kinds[0] !== undefined ? 0 : length < 2 ** 16 ? 1 : 2
  const bytes = Array.from(
    { length: 2 ** power },
    (_, i) => (length >>> (8 * (2 ** power - 1 - i))) & 255,
  )
  return String.fromCharCode(kinds[power]!, ...bytes)
}

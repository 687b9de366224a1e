/** Orders text by code point, as UTF-8 bytes and `COLLATE "C"` do; `<` orders by UTF-16 unit. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // Surrogates stand for code points above all others of one unit.
    const high = isSurrogate(x)
    return high === isSurrogate(y) ? x - y : high ? 1 : -1
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

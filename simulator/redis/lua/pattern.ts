const CLASSES: Readonly<Record<string, string>> = {
  a: 'A-Za-z',
  d: '0-9',
  l: 'a-z',
  s: '\\s',
  u: 'A-Z',
  w: '0-9A-Za-z',
  x: '0-9A-Fa-f',
}
const patterns = new Map<string, RegExp>()

/** A pattern of Lua as a regular expression. Not all of them: no balance, frontier or position. */
export function patternOf(pattern: string): RegExp {
  let found = patterns.get(pattern)
  if (found === undefined) patterns.set(pattern, (found = new RegExp(translated(pattern), 'g')))
  return found
}

function translated(pattern: string): string {
  let text = ''
  let inSet = false
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!
    if (char === '%') text += classOf(pattern[++at] ?? '', inSet)
    else if (inSet) {
      if (char === ']') inSet = false
      text += char === '[' || char === '\\' ? `\\${char}` : char
    } else if (char === '[') {
      inSet = true
      text += char
    } else if (char === '.') text += '[^]'
    else if (char === '-') text += '*?'
    else if (char === '(' && pattern[at + 1] === ')') throw new Error('positions are not supported')
    else if ('()*+?'.includes(char)) text += char
    else if (char === '^' && at === 0) text += char
    else if (char === '$' && at === pattern.length - 1) text += char
    else text += escaped(char)
  }
  return text
}

function classOf(letter: string, inSet: boolean): string {
  const chars = CLASSES[letter]
  if (chars !== undefined) return inSet ? chars : `[${chars}]`
  if (/[0-9A-Za-z]/.test(letter)) throw new Error(`%${letter} is not supported`)
  return escaped(letter)
}

function escaped(char: string): string {
  return /\w/.test(char) ? char : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
}

/** A word of a Lua source. */
export interface Token {
  readonly kind: 'name' | 'keyword' | 'number' | 'string' | 'symbol' | 'end'
  /** Of a string: what it stands for, without its quotes. */
  readonly text: string
  readonly line: number
}

const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'and break do else elseif end false for function if in local nil not or repeat return then ' +
    'true until while'
  ).split(' '),
)
const SPACE = /(?:\s+|--\[\[[\s\S]*?\]\]|--(?!\[\[)[^\n]*)+/y
const WORD = /[A-Za-z_]\w*/y
const NUMBER = /0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?/y
const TEXT = /'((?:[^'\\\n]|\\[\s\S])*)'|"((?:[^"\\\n]|\\[\s\S])*)"/y
const SYMBOL = /\.\.\.|\.\.|==|~=|<=|>=|[-+*/%^#<>=(){}[\];:,.]/y
const ESCAPE = /\\(\d{1,3}|[\s\S])/g
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/** Splits a source into its words; comments are none. */
export function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  let line = 1
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(source)
    if (found === null) return null
    at += found[0].length
    line += found[0].split('\n').length - 1
    return found
  }
  for (;;) {
    take(SPACE)
    if (at === source.length) return [...tokens, { kind: 'end', text: 'the end', line }]
    const word = take(WORD)?.[0]
    const number = word === undefined ? take(NUMBER)?.[0] : undefined
    const quoted = (word ?? number) === undefined ? take(TEXT) : undefined
    if (word !== undefined) {
      tokens.push({ kind: KEYWORDS.has(word) ? 'keyword' : 'name', text: word, line })
    } else if (number !== undefined) tokens.push({ kind: 'number', text: number, line })
    else if (quoted) {
      tokens.push({ kind: 'string', text: unescaped(quoted[1] ?? quoted[2] ?? ''), line })
    } else {
      const symbol = take(SYMBOL)?.[0]
      if (symbol === undefined) throw new Error(`Lua, line ${line}: ${source.slice(at, at + 20)}`)
      tokens.push({ kind: 'symbol', text: symbol, line })
    }
  }
}

function unescaped(text: string): string {
  return text.replace(ESCAPE, (_, escaped: string) =>
    /^\d/.test(escaped) ? String.fromCharCode(Number(escaped)) : (ESCAPED[escaped] ?? escaped),
  )
}

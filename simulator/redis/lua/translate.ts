/*
 * Lua 5.1 as far as the scripts of this project use it, as JavaScript: an interpreter written in
 * JavaScript takes ten times as long, and a simulation runs hundreds of scripts.
 *
 * Not supported, and refused: methods, varargs, `repeat`, long strings, metatables, and globals of the
 * script's own, which Redis refuses as well. What runs is compared with a real server by tests.
 */
import { tokensOf, type Token } from './tokens.ts'

interface Expression {
  readonly code: string
  /** True when the code gives a list of values, of which all count in the last place of a list. */
  readonly isMany: boolean
}

/** Left and right binding powers. */
const BINARY: Readonly<Record<string, readonly [number, number]>> = {
  or: [1, 1],
  and: [2, 2],
  '<': [3, 3],
  '>': [3, 3],
  '<=': [3, 3],
  '>=': [3, 3],
  '~=': [3, 3],
  '==': [3, 3],
  '..': [5, 4],
  '+': [6, 6],
  '-': [6, 6],
  '*': [7, 7],
  '/': [7, 7],
  '%': [7, 7],
  '^': [10, 9],
}
const UNARY = 8

/** The body of a function of `lua` (operators) and `globals` that runs the script. */
export function translate(source: string): string {
  return new Translator(tokensOf(source)).chunk()
}

class Translator {
  readonly #tokens: readonly Token[]
  #at = 0
  #names = 0
  readonly #scopes: Map<string, string>[] = []

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  chunk(): string {
    const body = this.#block()
    if (this.#next.kind !== 'end') this.#fail()
    return `'use strict'\nlet t\n${body}\nreturn []`
  }

  // ---- words

  get #next(): Token {
    return this.#tokens[this.#at]!
  }

  #is(text: string): boolean {
    const { kind, text: next } = this.#next
    return next === text && (kind === 'symbol' || kind === 'keyword')
  }

  #skip(text: string): boolean {
    if (!this.#is(text)) return false
    this.#at++
    return true
  }

  #expect(text: string): void {
    if (!this.#skip(text)) this.#fail(text)
  }

  #name(): string {
    if (this.#next.kind !== 'name') this.#fail('a name')
    return this.#tokens[this.#at++]!.text
  }

  #fail(expected = 'something else'): never {
    const { text, line } = this.#next
    throw new Error(`Lua, line ${line}: ${expected} is expected or not supported near ${text}`)
  }

  #declare(name: string): string {
    const unique = `${name}$${this.#names++}`
    this.#scopes.at(-1)!.set(name, unique)
    return unique
  }

  #find(name: string): string | undefined {
    return this.#scopes.findLast((scope) => scope.has(name))?.get(name)
  }

  // ---- statements

  #block(parameters: readonly string[] = []): string {
    this.#scopes.push(new Map())
    const declared = parameters.map((name) => this.#declare(name))
    const statements = declared.length > 0 ? [`let [${declared.join()}] = values`] : []
    while (!this.#isEnd()) {
      const isLast = this.#is('return') || this.#is('break')
      statements.push(this.#statement())
      this.#skip(';')
      if (isLast && !this.#isEnd()) this.#fail('end')
    }
    this.#scopes.pop()
    return statements.join(';\n')
  }

  #isEnd(): boolean {
    return this.#next.kind === 'end' || ['end', 'else', 'elseif'].some((word) => this.#is(word))
  }

  #statement(): string {
    if (this.#skip('local')) return this.#skip('function') ? this.#localFunction() : this.#local()
    if (this.#skip('if')) return this.#if()
    if (this.#skip('while')) return this.#while()
    if (this.#skip('for')) return this.#for()
    if (this.#skip('break')) return 'break'
    if (this.#skip('return')) return `return ${this.#isEnd() ? '[]' : this.#list()}`
    return this.#callOrAssignment()
  }

  #localFunction(): string {
    const unique = this.#declare(this.#name())
    return `const ${unique} = ${this.#function()}`
  }

  #local(): string {
    const names = [this.#name()]
    while (this.#skip(',')) names.push(this.#name())
    if (!this.#skip('=')) return `let ${names.map((name) => this.#declare(name)).join()}`
    if (names.length === 1) {
      const values = this.#expressions()
      const code = values.length === 1 ? one(values[0]!) : `${listOf(values)}[0]`
      return `let ${this.#declare(names[0]!)} = ${code}`
    }
    const list = this.#list()
    return `let [${names.map((name) => this.#declare(name)).join()}] = ${list}`
  }

  #if(): string {
    const condition = this.#condition()
    this.#expect('then')
    const code = `if (${condition}) {\n${this.#block()}\n}`
    if (this.#skip('elseif')) return `${code} else {\n${this.#if()}\n}`
    const rest = this.#skip('else') ? ` else {\n${this.#block()}\n}` : ''
    this.#expect('end')
    return code + rest
  }

  #while(): string {
    const condition = this.#condition()
    return `while (${condition}) {\n${this.#body()}\n}`
  }

  #for(): string {
    const first = this.#name()
    if (this.#skip('=')) return this.#numericFor(first)
    const names = [first]
    while (this.#skip(',')) names.push(this.#name())
    this.#expect('in')
    const list = this.#list()
    const body = this.#body(names)
    return `{
let [f, s, values] = ${list}
for (values = [values]; (values = f(s, values[0]))[0] !== undefined;) {
${body}
}
}`
  }

  #numericFor(name: string): string {
    const [from, to, step] = this.#expressions().map(one)
    if (to === undefined) this.#fail(',')
    const body = this.#body([name])
    return `{
const from = ${from}, to = ${to}, step = ${step ?? '1'}
for (let i = from; step > 0 ? i <= to : i >= to; i += step) {
const values = [i]
${body}
}
}`
  }

  /** From `do` to `end`. */
  #body(names: readonly string[] = []): string {
    this.#expect('do')
    const body = this.#block(names)
    this.#expect('end')
    return body
  }

  #callOrAssignment(): string {
    const target = this.#suffixed()
    if (target.isMany) return target.code
    if (this.#is(',')) this.#fail('=')
    this.#expect('=')
    const value = one(this.#expression())
    const place = /^lua\.index\((.*)\)$/s.exec(target.code)?.[1]
    if (place !== undefined) return `lua.setIndex(${place}, ${value})`
    if (target.code.startsWith('globals')) this.#fail('a local variable')
    return `${target.code} = ${value}`
  }

  // ---- expressions

  #list(): string {
    return listOf(this.#expressions())
  }

  #expressions(): Expression[] {
    const list = [this.#expression()]
    while (this.#skip(',')) list.push(this.#expression())
    return list
  }

  #condition(): string {
    return isTrue(one(this.#expression()))
  }

  #expression(power = 0): Expression {
    let left = this.#unary()
    for (;;) {
      const { kind, text } = this.#next
      const powers = kind === 'symbol' || kind === 'keyword' ? BINARY[text] : undefined
      if (powers === undefined || powers[0] <= power) return left
      this.#at++
      left = single(binary(one(left), text, one(this.#expression(powers[1]))))
    }
  }

  #unary(): Expression {
    if (this.#skip('not')) return single(`!${isTrue(one(this.#expression(UNARY)))}`)
    if (this.#skip('#')) return single(`lua.length(${one(this.#expression(UNARY))})`)
    if (this.#skip('-')) {
      return single(`lua.arithmetic(0, '-', ${one(this.#expression(UNARY))})`)
    }
    return this.#simple()
  }

  #simple(): Expression {
    const { kind, text } = this.#next
    if (kind === 'number' || kind === 'string') {
      this.#at++
      return single(kind === 'number' ? String(Number(text)) : JSON.stringify(text))
    }
    if (this.#skip('nil')) return single('undefined')
    if (this.#skip('true')) return single('true')
    if (this.#skip('false')) return single('false')
    if (this.#skip('function')) return single(`(${this.#function()})`)
    if (this.#is('{')) return single(this.#table())
    return this.#suffixed()
  }

  #suffixed(): Expression {
    let left = this.#primary()
    for (;;) {
      if (this.#skip('.')) {
        left = single(`lua.index(${one(left)}, ${JSON.stringify(this.#name())})`)
      } else if (this.#skip('[')) {
        left = single(`lua.index(${one(left)}, ${one(this.#expression())})`)
        this.#expect(']')
      } else if (this.#skip('(')) {
        const values = this.#is(')') ? [] : this.#expressions()
        this.#expect(')')
        left = { code: `${one(left)}(${spread(values)})`, isMany: true }
      } else return left
    }
  }

  #primary(): Expression {
    if (this.#skip('(')) {
      const inner = single(`(${one(this.#expression())})`)
      this.#expect(')')
      return inner
    }
    const name = this.#name()
    return single(this.#find(name) ?? `globals[${JSON.stringify(name)}]`)
  }

  #function(): string {
    this.#expect('(')
    const names: string[] = []
    while (!this.#skip(')')) {
      names.push(this.#name())
      if (!this.#is(')')) this.#expect(',')
    }
    const body = this.#block(names)
    this.#expect('end')
    return `(...values) => {\n${body}\nreturn []\n}`
  }

  #table(): string {
    this.#expect('{')
    const list: Expression[] = []
    const named: string[] = []
    while (!this.#skip('}')) {
      if (this.#skip('[')) {
        const key = one(this.#expression())
        this.#expect(']')
        this.#expect('=')
        named.push(`[${key}, ${one(this.#expression())}]`)
      } else if (this.#next.kind === 'name' && this.#tokens[this.#at + 1]?.text === '=') {
        const key = JSON.stringify(this.#name())
        this.#expect('=')
        named.push(`[${key}, ${one(this.#expression())}]`)
      } else list.push(this.#expression())
      if (!this.#is('}') && !this.#skip(';')) this.#expect(',')
    }
    return `lua.table(${listOf(list)}, [${named.join(', ')}])`
  }
}

function single(code: string): Expression {
  return { code, isMany: false }
}

/** The first value of an expression. */
function one({ code, isMany }: Expression): string {
  return isMany ? `${code}[0]` : code
}

function spread(list: readonly Expression[]): string {
  return list
    .map((each, i) => (each.isMany && i === list.length - 1 ? `...${each.code}` : one(each)))
    .join(', ')
}

function listOf(list: readonly Expression[]): string {
  return `[${spread(list)}]`
}

function isTrue(code: string): string {
  return `((t = ${code}) !== undefined && t !== false)`
}

function binary(left: string, operator: string, right: string): string {
  switch (operator) {
    case 'and':
      return `(${isTrue(left)} ? ${right} : t)`
    case 'or':
      return `(${isTrue(left)} ? t : ${right})`
    case '==':
      return `(${left} === ${right})`
    case '~=':
      return `(${left} !== ${right})`
    case '..':
      return `lua.concat(${left}, ${right})`
    case '<':
    case '>':
    case '<=':
    case '>=':
      return `lua.compare(${left}, '${operator}', ${right})`
    default:
      return `lua.arithmetic(${left}, '${operator}', ${right})`
  }
}

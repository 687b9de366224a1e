import { PassThrough, Writable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OutputClosed } from './output-closed.ts'
import { printable, printableLine } from './printable.ts'
import { Progress } from './progress.ts'
import { table } from './table.ts'
import { textWidth } from './text-width.ts'
import { Terminal, type OutputStream } from './terminal.ts'

function stream(isTTY: boolean): OutputStream & { text(): string } {
  const chunks: string[] = []
  const writable = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  return Object.assign(writable, { isTTY, text: () => chunks.join('') })
}

test('control characters of stored text do not reach the terminal', () => {
  expect(printable('\u001b[2J\u009b31m \u202e evil\ttab\nnext')).toBe(
    '\\u001b[2J\\u009b31m \\u202e evil\ttab\nnext',
  )
  expect(printableLine('a \n\n b\tc  d')).toBe('a b c  d')
  expect(printable('\u061c\u2028\u2029')).toBe('\\u061c\\u2028\\u2029')
})

test('a million spaces are put on one line as fast as any text', () => {
  const spaces = ' '.repeat(1_000_000)
  expect(printableLine(`${spaces}x`)).toBe(`${spaces}x`)
})

describe('a table', () => {
  const lines = (...args: Parameters<typeof table>): string[] => {
    const { heading, rows } = table(...args)
    return [...heading, ...rows.flat()]
  }

  test('has its columns below each other, wide characters counted', () => {
    const rows = [
      ['漢字', 'x'],
      ['e\u0301', '\u001b'],
      ['👍🏽', 'y'],
      ['long', ''],
    ]
    expect(lines(['a', 'b'], rows)).toEqual([
      'a     b',
      '----  ------',
      '漢字  x',
      'e\u0301     \\u001b',
      '👍🏽    y',
      'long',
    ])
  })

  test('that is too wide has its widest cells wrapped, at spaces where there are any', () => {
    const rows = [['one', 'words that go on and on', 'x'.repeat(20)]]
    expect(lines(['a', 'b', 'c'], rows, 34)).toEqual([
      'a    b               c',
      '---  --------------  -------------',
      'one  words that go   xxxxxxxxxxxxx',
      '     on and on       xxxxxxx',
    ])
  })

  test('that does not fit at all becomes a block for each row, without its empty cells', () => {
    const rows = [
      ['漢字漢字漢字漢字', 'second cell', 'third cell here'],
      ['1', '', '3'],
    ]
    expect(lines(['a', 'bb', 'c'], rows, 20)).toEqual([
      'a   漢字漢字漢字漢字',
      'bb  second cell',
      'c   third cell here',
      '',
      'a   1',
      'c   3',
    ])
  })

  test('never needs more columns than there are, and loses no character', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '漢', '\u{1f44d}', 'e\u0301') })
    const grid = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(grid, fc.integer({ min: 16, max: 60 }), (rows, width) => {
        const found = lines(['one', 'two', 'three'], rows, width)
        for (const line of found) expect(textWidth(line)).toBeLessThanOrEqual(Math.max(width, 19))
        const letters = (text: string): number[] =>
          ['a', 'b', '漢', '\u{1f44d}'].map((letter) => text.split(letter).length - 1)
        expect(letters(found.join(''))).toEqual(letters(rows.flat().join('')))
      }),
    )
  })
})

test.each([
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: '1' }, false],
  [false, { FORCE_COLOR: '1' }, true],
  [true, { FORCE_COLOR: '0' }, false],
  [false, { FORCE_COLOR: 'false' }, false],
  [true, { NO_COLOR: '' }, true],
  [true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
  [true, { TERM: 'dumb' }, false],
])('colours on a terminal: %s with %o: %s', (isTTY, variables, coloured) => {
  const terminal = new Terminal({ stdout: stream(isTTY), stderr: stream(false), variables })
  expect(terminal.colour('red', 'x')).toBe(coloured ? '\u001b[31mx\u001b[39m' : 'x')
})

test('each stream has colours of its own, and --no-color takes them from both', () => {
  const [stdout, stderr] = [stream(false), stream(true)]
  const terminal = new Terminal({ stdout, stderr, variables: {} })
  expect(terminal.colour('red', 'x')).toBe('x')
  terminal.note('\u001b', 'red')
  expect(stderr.text()).toBe('\u001b[31m\\u001b\u001b[39m\n')
  terminal.withoutColour()
  terminal.note('x', 'red')
  expect(stderr.text().endsWith('\nx\n')).toBe(true)
})

test('secrets are taken out of what is told', () => {
  const stderr = stream(false)
  const terminal = new Terminal({ stdout: stream(false), stderr, variables: {} })
  terminal.hide(['hunter22'])
  terminal.note('cannot log in with hunter22')
  expect(stderr.text()).toBe('cannot log in with ***\n')
})

test('a reader that has gone is told apart from other failures of the output', async () => {
  const stdout = new PassThrough()
  const terminal = new Terminal({ stdout, stderr: stream(false), variables: {} })
  stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  await new Promise((resolve) => setImmediate(resolve))
  await expect(terminal.write('x')).rejects.toThrow(OutputClosed)
  // What a command has to say at its end does not change its verdict.
  await terminal.writeLine('x')
  expect(terminal.isClosed).toBe(true)
})

test('progress is drawn on a terminal only, and not more often than eyes can see', () => {
  const quiet = stream(false)
  new Progress(quiet).update(() => ({ text: 'x' }))
  expect(quiet.text()).toBe('')
  let now = 0
  const loud = stream(true)
  const progress = new Progress(loud, () => now)
  for (now = 0; now < 1_000; now++) progress.update(() => ({ fraction: now / 1_000, text: 'x' }))
  expect(loud.text().split('\r')).toHaveLength(11)
  progress.clear()
  expect(loud.text().endsWith('\r\u001b[2K')).toBe(true)
})

test('progress is cut off at the end of the line, which it could not take away otherwise', () => {
  const narrow = Object.assign(stream(true), { columns: 20 })
  new Progress(narrow).update(() => ({ text: '漢字 conversations and more' }))
  expect(narrow.text()).toBe('\r\u001b[2K漢字 conversations…')
})

import { PassThrough, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { OutputClosed } from './output-closed.ts'
import { printable, printableLine } from './printable.ts'
import { Progress } from './progress.ts'
import { table } from './table.ts'
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

test('columns of a table stand below each other, wide characters counted', () => {
  expect(
    table(
      ['a', 'b'],
      [
        ['漢字', 'x'],
        ['e\u0301', '\u001b'],
        ['long', ''],
      ],
    ),
  ).toEqual(['a     b', '----  ------', '漢字  x', 'e\u0301     \\u001b', 'long'])
})

test.each([
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: '1' }, false],
  [false, { FORCE_COLOR: '1' }, true],
  [true, { FORCE_COLOR: '0' }, false],
  [true, { TERM: 'dumb' }, false],
])('colours on a terminal: %s with %o: %s', (isTTY, variables, coloured) => {
  const terminal = new Terminal({ stdout: stream(isTTY), stderr: stream(false), variables })
  expect(terminal.colour('red', 'x')).toBe(coloured ? '\u001b[31mx\u001b[39m' : 'x')
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

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readLines, type Line } from './read-lines.ts'

async function linesOf(chunks: readonly Uint8Array[], bytesMax?: number): Promise<Line[]> {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* chunks
  }
  const lines: Line[] = []
  for await (const line of readLines(source(), bytesMax)) lines.push(line)
  return lines
}

function textOf(lines: readonly Line[]): (string | undefined)[] {
  return lines.map((line) => ('text' in line ? line.text : undefined))
}

test('lines come out the same however the bytes are cut into chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme' }).map((text) => `x${text.replace(/[\r\n]/g, '')}`)),
      fc.array(fc.nat({ max: 400 })),
      async (lines, cuts) => {
        const bytes = Buffer.from(lines.join('\n'))
        const at = [...new Set([0, ...cuts, bytes.length])].filter((cut) => cut <= bytes.length)
        at.sort((a, b) => a - b)
        const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end))
        expect(textOf(await linesOf(chunks))).toEqual(lines)
      },
    ),
  )
})

test('empty lines are left out but counted', async () => {
  const lines = await linesOf([Buffer.from('a\n\n  \r\nb\r\n')])
  expect(lines).toEqual([
    { number: 1, bytes: 1, text: 'a' },
    { number: 4, bytes: 2, text: 'b' },
  ])
})

test('a byte order mark at the start is taken off', async () => {
  expect(textOf(await linesOf([Buffer.from('\ufeffa\n\ufeffb')]))).toEqual(['a', '\ufeffb'])
})

test('a line that is too long is reported and the next one is read', async () => {
  const lines = await linesOf([Buffer.from('aaa'), Buffer.from('aaa\nbbbbb\n')], 5)
  expect(lines).toEqual([
    { number: 1, bytes: 6, problem: 'is 6 bytes long, at most 5 are allowed' },
    { number: 2, bytes: 5, text: 'bbbbb' },
  ])
})

test('a line that is not UTF-8 is reported, not repaired', async () => {
  const lines = await linesOf([Buffer.from([0x61, 0xff, 0x0a, 0x62])])
  expect(lines).toEqual([
    { number: 1, bytes: 2, problem: 'is not UTF-8' },
    { number: 2, bytes: 1, text: 'b' },
  ])
})

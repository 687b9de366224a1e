import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Line } from '../jsonl/read-lines.ts'
import { documentLines } from './document-lines.ts'
import { jsonValues } from './json-values.ts'
import { openLines } from './open-lines.ts'

async function* inChunks(text: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function linesOf(text: string | Uint8Array, size = 7): Promise<Line[]> {
  const lines: Line[] = []
  for await (const line of openLines(inChunks(text, size))) lines.push(line)
  return lines
}

async function textsOf(text: string | Uint8Array, size?: number): Promise<string[]> {
  const lines = await linesOf(text, size)
  return lines.map((line) => ('text' in line ? line.text : `! ${line.problem}`))
}

const A = '{"conversationId":"a","messages":[]}'
const B = '{"conversationId":"b","messages":[]}'
const pretty = (text: string): string => JSON.stringify(JSON.parse(text), undefined, 2)

test('lines stay lines, also when the first ones are torn', async () => {
  const torn = ['{', '{"conversationId":"x","mess', '{"messages":[{"role":"us']
  for (const line of torn) expect(await textsOf(`\n${line}\n${A}\n${B}`)).toEqual([line, A, B])
  expect((await linesOf(`\n${A}\n${B}`)).map(({ number, where }) => ({ number, where }))).toEqual([
    { number: 2, where: undefined },
    { number: 3, where: undefined },
  ])
})

test.each([
  ['a list in one line', `[${A},${B}]`, [A, B]],
  ['a list with a mark before it', `\ufeff [\n${A},\n${B}\n]`, [A, B]],
  ['objects over many lines', `${pretty(A)}\n${pretty(B)}`, [pretty(A), pretty(B)]],
  ['lists one after the other', `[${A}]\n[${B}]`, [A, B]],
  ['a list with what is no JSON in it', `[${A}, oops, ${B}]`, [A, 'oops', B]],
  ['a list of nothing', '[]', []],
  [
    'a list that is cut off in a value',
    `[${A}, {"a":`,
    [A, '! ends in the middle: the file is cut off'],
  ],
  [
    'a list that is cut off behind one',
    `[${A}`,
    [A, '! is missing: the file ends before its list does'],
  ],
])('%s is a document', async (_, text, expected) => {
  for (const size of [1, 7, 1000]) expect(await textsOf(text, size)).toEqual(expected)
})

test('its conversations are counted, and named so', async () => {
  const lines = await linesOf(`[${A},${B}]`)
  expect(lines.map(({ number, where }) => ({ number, where }))).toEqual([
    { number: 1, where: 'conversation 1' },
    { number: 2, where: 'conversation 2' },
  ])
})

test('a list of messages is one conversation, with null for what is no JSON', async () => {
  const message = '{"role":"user","content":"a"}'
  expect(await textsOf(`[oops, ${message},\n {"role": x}]`)).toEqual([`[null,${message},null]`])
})

test('values come out the same however they are laid out and cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue(), { minLength: 1 }),
      fc.integer({ min: 1, max: 50 }),
      fc.nat({ max: 3 }),
      async (values, size, indent) => {
        const found: unknown[] = []
        for await (const piece of jsonValues(
          inChunks(JSON.stringify(values, undefined, indent), size),
        )) {
          if (piece.kind === 'value') found.push(JSON.parse(piece.text))
        }
        expect(found).toEqual(JSON.parse(JSON.stringify(values)))
      },
    ),
  )
})

test('a value that is too long is named, and the next one is read', async () => {
  const lines: Line[] = []
  const long = JSON.stringify({ a: 'x'.repeat(200) })
  for await (const line of documentLines(inChunks(`[${long},${A}]`, 16), { valueBytesMax: 100 })) {
    lines.push(line)
  }
  expect(lines).toEqual([
    expect.objectContaining({ problem: 'is 208 bytes long, at most 100 are allowed' }),
    expect.objectContaining({ text: A }),
  ])
})

test('a list of messages that is too long is named, whatever each of them is', async () => {
  const message = '{"role":"user","content":"a"}'
  const lines: Line[] = []
  const list = `[${Array(20).fill(message).join(',')}]`
  for await (const line of documentLines(inChunks(list, 16), { valueBytesMax: 100 }))
    lines.push(line)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({
    problem: expect.stringContaining('a list of messages of 600 bytes') as unknown,
  })
})

test('what is not UTF-8 is reported, not repaired', async () => {
  const bytes = Buffer.concat([Buffer.from(`["`), Buffer.from([0xff]), Buffer.from(`",${A}]`)])
  expect(await textsOf(bytes)).toEqual(['! is not UTF-8', A])
})

test('a zip that comes as a stream is refused', async () => {
  await expect(linesOf('PK\u0003\u0004 and more')).rejects.toThrow('save it as a file')
})

test('a value of 512 MiB is passed over without being kept', async () => {
  let kept = 0
  async function* source(): AsyncGenerator<Uint8Array> {
    const before = process.memoryUsage().arrayBuffers
    yield Buffer.from('[{"a":"')
    for (let i = 0; i < 512; i++) yield Buffer.alloc(1024 * 1024, 'x')
    kept = process.memoryUsage().arrayBuffers - before
    yield Buffer.from(`"},${A}]`)
  }
  const lines: Line[] = []
  for await (const line of openLines(source())) lines.push(line)
  expect(lines[0]).toMatchObject({
    problem: expect.stringContaining('at most 67108864') as unknown,
  })
  expect(lines[1]).toMatchObject({ text: A })
  expect(kept).toBeLessThan(256 * 1024 * 1024)
})

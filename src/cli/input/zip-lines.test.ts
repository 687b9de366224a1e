import { expect, test } from 'vitest'
import { makeZip, type ZipFile } from '../../../test/support/make-zip.ts'
import type { Line } from '../jsonl/read-lines.ts'
import { ZIP_NAME_BYTES_MAX } from './zip-directory.ts'
import { openZip, type ZipLimits } from './zip-lines.ts'

const CHAT = '{"conversationId":"a","messages":[]}'

async function open(
  zip: Buffer,
  limits?: ZipLimits,
): Promise<{ lines: Line[]; otherFiles: number; bytes: number }> {
  const read = async (position: number, length: number): Promise<Buffer> =>
    zip.subarray(position, position + length)
  const input = await openZip({ size: zip.length, read }, undefined, limits)
  const lines: Line[] = []
  for await (const line of input.lines) lines.push(line)
  return { ...input, lines }
}

async function said(
  files: readonly ZipFile[],
  limits?: ZipLimits,
): Promise<(string | undefined)[]> {
  const { lines } = await open(makeZip(files), limits)
  return lines.map((line) => ('text' in line ? line.text : `${line.where}: ${line.problem}`))
}

test.each([
  ['deflated', {}],
  ['stored', { method: 0 }],
  ['with numbers of 64 bits', { large: true }],
])('the conversations of a file that is %s come out', async (_, more) => {
  expect(
    await said([{ name: 'x/conversations.json', contents: `[${CHAT},\n${CHAT}]`, ...more }]),
  ).toEqual([CHAT, CHAT])
})

test('what exports call their conversations is read alone, in all its parts', async () => {
  const names = ['user.json', 'conversations-000.json', 'photo.png', 'conversations-001.json']
  const files = names.map((name) => ({ name, contents: `[${CHAT}]` }))
  const { lines, otherFiles, bytes } = await open(makeZip(files))
  expect(lines.map(({ number, where }) => ({ number, where }))).toEqual([
    { number: 1, where: 'conversation 1 of conversations-000.json' },
    { number: 2, where: 'conversation 1 of conversations-001.json' },
  ])
  expect({ otherFiles, bytes }).toEqual({ otherFiles: 2, bytes: 2 * (CHAT.length + 2) })
})

test('without such a name every JSON file is read, lines as lines', async () => {
  const files = [
    { name: 'a.jsonl', contents: `${CHAT}\n${CHAT}\n` },
    { name: '__MACOSX/a.json', contents: 'x' },
    { name: 'folder/', contents: '' },
    { name: 'b.json', contents: CHAT },
  ]
  const { lines, otherFiles } = await open(makeZip(files))
  expect(lines.map(({ where }) => where)).toEqual([
    'line 1 of a.jsonl',
    'line 2 of a.jsonl',
    'line 1 of b.json',
  ])
  expect(lines.map(({ number }) => number)).toEqual([1, 2, 3])
  expect(otherFiles).toBe(1)
})

const GOOD = { name: 'good.json', contents: CHAT }

test.each<[string, ZipFile, string]>([
  ['a name that leads out', { name: '../../x.json', contents: CHAT }, 'leads out of the archive'],
  ['an absolute name', { name: '/etc/x.json', contents: CHAT }, 'leads out of the archive'],
  ['a drive', { name: 'C:\\x.json', contents: CHAT }, 'leads out of the archive'],
  ['a control character', { name: 'a\u001b[2J.json', contents: CHAT }, 'leads out of the archive'],
  [
    'a long name',
    { name: `${'x'.repeat(ZIP_NAME_BYTES_MAX)}.json`, contents: CHAT },
    'has a name of 1029 bytes',
  ],
  ['encryption', { name: 'a.json', contents: CHAT, says: { flags: 1 } }, 'is encrypted'],
  ['another method', { name: 'a.json', contents: CHAT, method: 12 }, 'is packed by method 12'],
  ['a wrong checksum', { name: 'a.json', contents: CHAT, says: { crc: 1 } }, 'checksum is wrong'],
  [
    'a size that is too small',
    { name: 'a.json', contents: CHAT, says: { bytes: 3 } },
    'longer than the 3 bytes',
  ],
  [
    'a size that is too large',
    { name: 'a.json', contents: CHAT, says: { bytes: 99 } },
    'ends after 36 of 99 bytes',
  ],
  ['a zip', { name: 'a.json', contents: makeZip([GOOD]) }, 'a zip in a zip'],
  ['bytes that are not packed so', { name: 'a.json', contents: 'x', method: 8, says: {} }, ''],
])('a file with %s is named, and the others are read', async (_, file, problem) => {
  const texts = await said([file, GOOD])
  expect(texts.at(-1)).toBe(CHAT)
  expect(texts.join('\n')).toContain(problem)
})

test('a file that becomes too many times as long is given up', async () => {
  const bomb = { name: 'bomb.json', contents: Buffer.alloc(8 * 1024 * 1024, ' ') }
  const [problem, other] = await said([bomb, GOOD])
  expect(problem).toBe(
    'the file "bomb.json": could not be read to its end: it becomes more than 200 times as long as it is packed',
  )
  expect(other).toBe(CHAT)
})

test('a file that is too long is not begun', async () => {
  const [problem] = await said([GOOD], { fileBytesMax: 10 })
  expect(problem).toBe('the file "good.json": is 36 bytes long, at most 10 are allowed')
})

test('files that lie over each other are refused', async () => {
  const files = [GOOD, { name: 'b.json', contents: CHAT, over: 0 }]
  await expect(open(makeZip(files))).rejects.toThrow('files that lie over each other')
})

test.each<[string, Buffer, string]>([
  ['no list of contents', makeZip([GOOD]).subarray(0, -22), 'it is cut off, or no zip'],
  ['a list that is not there', makeZip([GOOD]).subarray(20), 'is damaged'],
  ['no JSON', makeZip([{ name: 'a.png', contents: 'x' }]), 'has no JSON file'],
])('an archive with %s is refused', async (_, zip, problem) => {
  await expect(open(zip)).rejects.toThrow(problem)
})

test('an archive that is cut or changed anywhere ends with a message, never with a crash', async () => {
  const zip = makeZip([GOOD, { name: 'b.json', contents: `[${CHAT}]`, large: true }])
  for (let i = 0; i < zip.length; i++) {
    for (const bits of [0xff, 0x01, 0x80]) {
      const changed = Buffer.from(zip)
      changed[i]! ^= bits
      await open(changed).catch((error: unknown) =>
        expect(String(error)).toMatch(/^Error: the zip /),
      )
    }
  }
})

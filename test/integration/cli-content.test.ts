// Goal: an export with content has all that messages refer to, and an import of it makes the same store, also one
// whose contents have other names. Method: the compiled command line on stores of SQLite files.
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { cliTests } from './cli-tests.ts'

const cli = cliTests()
const SECRET = randomBytes(32).toString('base64')

/** Between three and four lines. */
const LARGE = randomBytes(10_000_000)
const SMALL = Buffer.from('a small picture')

async function withStore<T>(
  folder: string,
  run: (history: ChatHistory) => Promise<T>,
  encrypted = false,
): Promise<T> {
  const path = (name: string): string => join(cli.cwd, folder, name)
  const history = await openChatHistory({
    primary: `sqlite:${path('primary.db')}`,
    backup: `sqlite:${path('backup.db')}`,
    wal: `file:${path('wal')}`,
    ...(encrypted && {
      encryption: { keys: [{ id: 'k1', secret: Buffer.from(SECRET, 'base64') }] },
    }),
  })
  try {
    return await run(history)
  } finally {
    await history.close()
  }
}

function places(folder: string): readonly string[] {
  const path = (name: string): string => join(cli.cwd, folder, name)
  const databases = [
    '--primary',
    `sqlite:${path('primary.db')}`,
    '--backup',
    `sqlite:${path('backup.db')}`,
  ]
  return [...databases, '--wal', `file:${path('wal')}`]
}

/** Two conversations that share one content. */
async function fill(): Promise<void> {
  await withStore('from', async (history) => {
    const large = await history.saveContent(LARGE, { mediaType: 'video/mp4' })
    const small = await history.saveContent(SMALL)
    const empty = await history.saveContent(new Uint8Array())
    for (const conversation of ['a', 'b']) {
      await history.saveMessage(conversation, {
        role: 'user',
        content: [
          { type: 'text', text: 'look' },
          { type: 'file', content: large.ref },
          ...(conversation === 'b' ? [{ type: 'file', content: [small.ref, empty.ref] }] : []),
        ],
      })
    }
  })
}

async function bytesIn(folder: string, encrypted = false): Promise<readonly Buffer[]> {
  return await withStore(
    folder,
    async (history) => {
      const found: Buffer[] = []
      for (const conversation of ['a', 'b']) {
        const { messages } = await history.getHistory(conversation)
        const parts = messages[0]!.content as unknown as { content?: string | string[] }[]
        for (const ref of parts.flatMap(({ content = [] }) => content)) {
          const content = await history.readContent(ref)
          if (content.size === LARGE.length) expect(content.mediaType).toBe('video/mp4')
          found.push(Buffer.from(await content.bytes()))
        }
      }
      return found
    },
    encrypted,
  )
}

test.each([false, true])('content goes through a file; encrypted there: %s', async (encrypted) => {
  await fill()
  const whole = await cli.run([
    'export',
    '--with-content',
    '--output',
    'all.jsonl',
    ...places('from'),
  ])
  expect(whole.stderr).toContain('2 conversations, 2 messages, 3 contents')
  const lines = (await readFile(join(cli.cwd, 'all.jsonl'), 'utf8')).trim().split('\n')
  // The large one stands in it once, before the first conversation.
  expect(lines.map((line) => line.slice(0, 11))).toEqual([
    ...Array.from({ length: 4 }, () => '{"content":'),
    '{"conversat',
    ...Array.from({ length: 2 }, () => '{"content":'),
    '{"conversat',
  ])
  if (encrypted) cli.env = { EVERTHREAD_ENCRYPTION_KEYS: `k1:${SECRET}` }
  for (let round = 0; round < 2; round++) {
    const [code, report] = await cli.json('import', 'all.jsonl', ...places('to'))
    expect([code, report]).toMatchObject([0, { contents: 3, badLines: 0, conversations: 2 }])
  }
  const found = await bytesIn('to', encrypted)
  expect(found.map((bytes) => bytes.equals(LARGE))).toEqual([true, true, false, false])
  expect([found[2]!.toString(), found[3]!.length]).toEqual([SMALL.toString(), 0])
})

test('an export without content is told by the import of its messages, and a torn one by its line', async () => {
  await fill()
  const plain = await cli.run(['export', ...places('from')])
  await writeFile(join(cli.cwd, 'plain.jsonl'), plain.stdout)
  const refused = await cli.run(['import', 'plain.jsonl', '--json', ...places('none')])
  expect(refused.code).toBe(3)
  expect(JSON.parse(refused.stdout)).toMatchObject({ messages: { refused: 2 } })
  const whole = await cli.run(['export', '--with-content', ...places('from')])
  const lines = whole.stdout.trim().split('\n')
  lines.splice(2, 1)
  await writeFile(join(cli.cwd, 'torn.jsonl'), lines.join('\n'))
  const torn = await cli.run(['import', 'torn.jsonl', '--json', ...places('torn')])
  expect(torn.code).toBe(3)
  expect(JSON.parse(torn.stdout)).toMatchObject({
    contents: 2,
    problems: [
      { line: 3, kind: 'bad-line', reason: expect.stringContaining('without the parts') as string },
      {},
      {},
    ],
  })
})

test('content is for lines of the whole store', async () => {
  for (const args of [
    ['--from', 'backup'],
    ['--format', 'html'],
  ]) {
    expect((await cli.run(['export', '--with-content', ...args])).code).toBe(2)
  }
})

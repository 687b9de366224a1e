// Goal: people import what other programs gave them, as it came, and export what they can read.
// Method: the compiled command line on files of test/imports, alone, in a zip and with a mistake in them.
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeZip } from '../support/make-zip.ts'
import { ROOT } from '../support/source-files.ts'
import { cliTests } from './cli-tests.ts'

const cli = cliTests()
const FILES = join(ROOT, 'test/imports')

async function bring(...names: readonly string[]): Promise<void> {
  for (const name of names) await copyFile(join(FILES, name), join(cli.cwd, name))
}

interface Report {
  readonly formats: Readonly<Record<string, number>>
  readonly messages: Readonly<Record<string, number>>
}

async function imported(...args: readonly string[]): Promise<[number | null, Report, string]> {
  const { code, stdout, stderr } = await cli.run(['import', ...args, '--json'])
  return [code, JSON.parse(stdout) as Report, stderr]
}

describe('import', () => {
  test('each form is recognised, repeated without an effect, and goes through an export and back', async () => {
    const names = await readdir(FILES)
    const files = names.map(async (name) => {
      const contents = await readFile(join(FILES, name))
      return { name: `all/${name}`, contents }
    })
    await writeFile(join(cli.cwd, 'all.zip'), makeZip(await Promise.all(files)))
    const [code, report] = await imported('all.zip')
    expect(code).toBe(0)
    expect(report).toMatchObject({
      formats: {
        'ai-sdk': 1,
        chatgpt: 1,
        claude: 1,
        'open-webui': 1,
        librechat: 1,
        langchain: 1,
        'openai-items': 1,
        'openai-messages': 2,
        sharegpt: 2,
      },
      branches: 3,
      problems: [],
      messages: { new: 37, alreadyThere: 0 },
    })
    const [again, repeated] = await imported('all.zip')
    expect(again).toBe(0)
    expect(repeated.messages).toMatchObject({ new: 0, alreadyThere: 37, conflicts: 0 })
    const lines = await cli.run(['export'])
    const env = {
      EVERTHREAD_PRIMARY_URL: 'sqlite:p2.db',
      EVERTHREAD_BACKUP_URL: 'sqlite:b2.db',
      EVERTHREAD_WAL: 'file:wal2',
    }
    expect(await cli.run(['import', '-'], { input: lines.stdout, env })).toMatchObject({ code: 0 })
    // In another order: what says no time begins when it is imported.
    const sorted = (text: string): string[] => text.split('\n').sort()
    const exported = await cli.run(['export'], { env })
    expect(sorted(exported.stdout)).toEqual(sorted(lines.stdout))
  })

  test('a zip as it was downloaded is read, and it is said what was left out', async () => {
    const contents = await readFile(join(FILES, 'chatgpt.json'))
    const zip = makeZip([
      { name: 'conversations.json', contents },
      { name: 'user.json', contents: '{}' },
      { name: 'file-lemon.png', contents: 'picture' },
    ])
    await writeFile(join(cli.cwd, 'export.zip'), zip)
    const { code, stdout, stderr } = await cli.run(['import', 'export.zip'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^2 conversations, 6 messages \(6 new, 0 already there\) in /)
    expect(stderr.split('\n')).toEqual([
      'everthread: recognised chatgpt (1 conversations), and 1 branches as forks of their conversations',
      'everthread: left out fields of conversations: gizmo_id (1), is_archived (1)',
      'everthread: left out: 2 other files of the zip',
      'everthread: left out: 1 messages without content',
      '',
    ])
  })

  test('a later export of the same account adds what is new, under another title too', async () => {
    await bring('claude.json')
    await imported('claude.json')
    const [chat] = JSON.parse(await readFile(join(FILES, 'claude.json'), 'utf8')) as [
      { chat_messages: object[] },
    ]
    const more = {
      uuid: 'c-4',
      sender: 'human',
      text: 'And at night?',
      created_at: '2025-03-02T10:00:00Z',
    }
    const later = [{ ...chat, name: 'Moon', chat_messages: [...chat.chat_messages, more] }]
    await writeFile(join(cli.cwd, 'later.json'), JSON.stringify(later))
    const [code, report, stderr] = await imported('later.json')
    expect(code).toBe(0)
    expect(report.messages).toMatchObject({ new: 1, alreadyThere: 2, conflicts: 0 })
    expect(stderr).toContain('titles and dates of conversations that were imported before')
  })

  test('one bad message is named, exit 3, and drops nothing else; strict saves none of it', async () => {
    const good = { role: 'user', content: 'a' }
    const file = JSON.stringify({ conversationId: 'c', messages: [good, { role: 'robot' }, good] })
    await writeFile(join(cli.cwd, 'bad.jsonl'), `${file}\n`)
    const strict = await cli.run(['import', 'bad.jsonl', '--strict', '--json'])
    expect(strict.code).toBe(3)
    expect(JSON.parse(strict.stdout)).toMatchObject({ messages: { new: 0 }, stoppedAtLine: 1 })
    const [code, report, stderr] = await imported('bad.jsonl')
    expect(code).toBe(3)
    expect(report).toMatchObject({ badLines: 0, messages: { new: 2, refused: 1 } })
    expect(stderr).toMatch(/^line 1, message 1: message.role must be one of/)
  })

  test('a form can be given, and a name for the one conversation of a file', async () => {
    await bring('langchain.json', 'sharegpt.json')
    const wrong = await cli.run(['import', 'langchain.json', '--format', 'claude'])
    expect(wrong.code).toBe(3)
    expect(wrong.stderr).toContain('conversation 1 chat_messages must be an array')
    expect((await imported('langchain.json', '--conversation', 'weather'))[0]).toBe(0)
    expect((await cli.run(['show', 'weather'])).stdout).toContain('Take a coat.')
    const [code, , stderr] = await imported('sharegpt.json', '--conversation', 'rhymes')
    expect(code).toBe(3)
    expect(stderr).toContain(
      'conversation 2 is one more conversation, and --conversation names only one',
    )
  })

  test('what is no export, and an archive that is made to do harm, say so', async () => {
    await writeFile(join(cli.cwd, 'x.json'), '[{"a":1},{"b":2}]')
    const [code, , stderr] = await imported('x.json')
    expect(code).toBe(3)
    expect(stderr).toContain(
      'conversation 2 is a conversation in none of the known forms: everthread,',
    )
    const bomb = { name: 'conversations.json', contents: Buffer.alloc(4 * 1024 * 1024, '[') }
    await writeFile(join(cli.cwd, 'bomb.zip'), makeZip([bomb]))
    const harm = await imported('bomb.zip')
    expect(harm[0]).toBe(3)
    expect(harm[2]).toContain('it becomes more than 200 times as long as it is packed')
    await writeFile(join(cli.cwd, 'torn.zip'), makeZip([bomb]).subarray(0, 100))
    expect(await cli.run(['import', 'torn.zip'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it is cut off, or no zip') as unknown,
    })
  })
})

describe('export to read', () => {
  test('Markdown and HTML have the conversations in their order, and are never encrypted lines', async () => {
    await bring('chatgpt.json')
    await imported('chatgpt.json')
    const markdown = await cli.run(['export', '--format', 'markdown', '--conversation', 'chat-1'])
    expect(markdown.code).toBe(0)
    expect(markdown.stdout).toMatch(
      /^# Soup without salt\n\n## user · 2024-05-21T14:00:00.250Z\n\n> My soup is bland.\n\n/,
    )
    const html = await cli.run(['export', '--format', 'html', '--output', 'out.html'])
    expect(html.code).toBe(0)
    const page = await readFile(join(cli.cwd, 'out.html'), 'utf8')
    expect(page.match(/<article>/g)).toHaveLength(2)
    expect(page).toMatch(/<\/html>\n$/)
    const encrypted = await cli.run(['export', '--format', 'html', '--encrypt'])
    expect(encrypted).toMatchObject({ code: 2, stdout: '' })
    expect(encrypted.stderr).toContain('--encrypt is for lines that an import reads, not for html')
  })
})

// Goal: the command line keeps its promises as a process: exit codes, streams, signals, and an
// import that can be cut off anywhere and repeated.
// Method: the compiled package is run as a child, on SQLite and file logs in a folder of each test.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freePort } from '../support/free-port.ts'
import type { LogInspection } from '../../src/cli/wal/inspect-logs.ts'
import type { CliResult } from './cli-process.ts'
import { cliTests } from './cli-tests.ts'

const cli = cliTests()

interface TestMessage {
  readonly role: string
  readonly content: string | null
  readonly [field: string]: unknown
}

function conversation(
  id: string,
  count: number,
): { conversationId: string; messages: TestMessage[] } {
  const messages = Array.from({ length: count }, (_, i): TestMessage => {
    switch (i % 4) {
      case 0:
        return { role: 'user', content: `question ${i} of ${id} \u0000 \ud800 🙂` }
      case 1:
        return {
          content: null,
          role: 'assistant',
          tool_calls: [{ id: `call_${i}`, type: 'function' }],
        }
      case 2:
        return { role: 'tool', tool_call_id: `call_${i - 1}`, name: 'find', content: '{"found":1}' }
      default:
        return { role: 'assistant', content: `answer ${i}`, extra: { nested: [1, 2.5, null] } }
    }
  })
  return { conversationId: id, messages }
}

function jsonl(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('')
}

/** Names in no alphabetical order. */
const CONVERSATIONS = [9, 3, 7, 1, 5].map((n) => conversation(`c${n}`, n * 30))
const FILE = jsonl(CONVERSATIONS)

async function importFile(text: string, args: readonly string[] = []): Promise<CliResult> {
  await writeFile(join(cli.cwd, 'in.jsonl'), text)
  return await cli.run(['import', 'in.jsonl', '--json', ...args])
}

async function exported(args: readonly string[] = []): Promise<string> {
  const { code, stdout, stderr } = await cli.run(['export', ...args])
  expect(stderr).toMatch(/^\d+ conversations, \d+ messages in [\d.]+ s\n$/)
  expect(code).toBe(0)
  return stdout
}

describe('import and export', () => {
  test('an export is byte for byte what was imported, in its order, from every place', async () => {
    const { code, stdout, stderr } = await importFile(FILE)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      conversations: 5,
      messages: { acknowledged: 750, new: 750, alreadyThere: 0, conflicts: 0, singleCopy: 0 },
    })
    expect(await exported()).toBe(FILE)
    expect(await exported(['--from', 'primary'])).toBe(FILE)
    expect(await exported(['--from', 'backup'])).toBe(FILE)
  })

  test('an import that is repeated adds nothing', async () => {
    await importFile(FILE)
    const { code, stdout } = await importFile(FILE)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ messages: { new: 0, alreadyThere: 750 } })
    expect(await exported()).toBe(FILE)
  })

  test('an export with ids and times is imported into another store as the same', async () => {
    const messages = [
      { id: 'm1', role: 'user', content: 'a' },
      { role: 'user', content: 'b', createdAt: '2024-05-15T15:00:00.000Z' },
    ]
    await importFile(jsonl([{ conversationId: 'c', messages }]))
    const first = await exported(['--format', 'everthread'])
    const other = { EVERTHREAD_PRIMARY_URL: 'sqlite:p2.db', EVERTHREAD_BACKUP_URL: 'sqlite:b2.db' }
    const env = { ...other, EVERTHREAD_WAL: 'file:wal2' }
    expect((await cli.run(['import', '-'], { input: first, env })).code).toBe(0)
    expect((await cli.run(['export', '--format', 'everthread'], { env })).stdout).toBe(first)
    // And into the store that it came from, which has all of it.
    const again = await importFile(first)
    expect(again.code).toBe(0)
    expect(JSON.parse(again.stdout)).toMatchObject({ messages: { new: 0, alreadyThere: 2 } })
  })

  test('one conversation can be exported, and one that is not there is named', async () => {
    await importFile(FILE)
    expect(await exported(['--conversation', 'c1', '--conversation', 'c7'])).toBe(
      jsonl([CONVERSATIONS[2], CONVERSATIONS[3]]),
    )
    const { code, stdout, stderr } = await cli.run(['export', '--conversation', 'nope'])
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toContain('there is no conversation "nope"')
  })

  test('an output file appears whole, readable by its owner alone', async () => {
    await importFile(FILE)
    const { code, stdout } = await cli.run(['export', '--output', 'out.jsonl', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ conversations: 5, messages: 750, complete: true })
    expect(await readFile(join(cli.cwd, 'out.jsonl'), 'utf8')).toBe(FILE)
    expect(await readdir(cli.cwd)).not.toContain('out.jsonl.partial')
  })

  test('bad lines are reported with their number, and the others are imported', async () => {
    const text = `{\n${FILE}{"conversationId":"x","messages":[{"role":"robot","content":""}]}\n`
    const { code, stdout, stderr } = await importFile(text)
    expect(code).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({ badLines: 1, messages: { refused: 1 } })
    expect(stderr).toMatch(/^line 1 is not JSON/)
    expect(stderr).toMatch(/line 7, message 0: message.role must be one of/)
    expect(await exported()).toBe(FILE)
    const strict = await importFile(text, ['--strict'])
    expect(strict.code).toBe(3)
    expect(JSON.parse(strict.stdout)).toMatchObject({ badLines: 1, stoppedAtLine: 1 })
  })

  test('other content under a stored id is reported and never overwrites', async () => {
    await importFile(FILE)
    const changed = structuredClone(CONVERSATIONS[3]!)
    changed.messages[5] = { role: 'user', content: 'changed' }
    const { code, stdout } = await importFile(jsonl([changed]))
    expect(code).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({
      messages: { acknowledged: 29, conflicts: 1 },
      problems: [{ line: 1, conversationId: 'c1', message: 5, id: 'import-5', kind: 'conflict' }],
    })
    expect(await exported()).toBe(FILE)
  })
})

describe('an import that is cut off', () => {
  const MANY = Array.from({ length: 40 }, (_, i) => conversation(`c${i}`, 300))
  const TEXT = jsonl(MANY)

  /** Runs the import, and signals it once a good part of it is on disk. */
  async function importUntil(signal: NodeJS.Signals): Promise<CliResult> {
    return await cli.run(['import', '-', '--json'], {
      input: TEXT,
      onStart(child) {
        const look = setInterval(() => {
          const { size } = statSync(join(cli.cwd, 'data/primary.db-wal'), {
            throwIfNoEntry: false,
          }) ?? {
            size: 0,
          }
          if (size < 300_000) return
          clearInterval(look)
          child.kill(signal)
        }, 2)
        child.once('close', () => clearInterval(look))
      },
    })
  }

  /** Every conversation that is there is a beginning of what was to be imported. */
  async function expectBeginnings(): Promise<number> {
    const wanted = new Map(MANY.map((value) => [value.conversationId, value.messages]))
    const { stdout } = await cli.run(['export'])
    let count = 0
    for (const line of stdout.split('\n').filter((text) => text !== '')) {
      const { conversationId, messages } = JSON.parse(line) as (typeof MANY)[number]
      expect(messages).toEqual(wanted.get(conversationId)!.slice(0, messages.length))
      count += messages.length
    }
    return count
  }

  test('by kill -9 is completed by the same import', async () => {
    const { code } = await importUntil('SIGKILL')
    expect(code).toBe(null)
    expect(await expectBeginnings()).toBeLessThan(12_000)
    const again = await importFile(TEXT)
    expect(again.code).toBe(0)
    expect(JSON.parse(again.stdout)).toMatchObject({ messages: { acknowledged: 12_000 } })
    const lines = (await exported()).split('\n').sort()
    expect(lines).toEqual(TEXT.split('\n').sort())
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s finishes what runs and says where it stopped', async (signal, exitCode) => {
    const { code, stdout, stderr } = await importUntil(signal)
    expect(code).toBe(exitCode)
    const report = JSON.parse(stdout) as {
      stoppedAtLine: number
      messages: { acknowledged: number }
    }
    expect(stderr).toContain(`interrupted at line ${report.stoppedAtLine}`)
    // What it says it saved is what is there.
    expect(await expectBeginnings()).toBe(report.messages.acknowledged)
    expect((await importFile(TEXT)).code).toBe(0)
    expect(await expectBeginnings()).toBe(12_000)
  })
})

describe('streams and exit codes', () => {
  test('what cannot be understood is exit 2, and help is 0', async () => {
    expect((await cli.run(['--help'])).code).toBe(0)
    expect((await cli.run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    for (const args of [
      [],
      ['nonsense'],
      ['import'],
      ['list', '--limit', '0'],
      ['export', '--from', 'wal'],
      ['list', '--primary', 'nosuch:x'],
      ['list', '--read', 'nosuch'],
      ['list', '--config', 'absent.json'],
    ]) {
      const { code, stdout, stderr } = await cli.run(args)
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' })
      expect(stderr).not.toBe('')
    }
  })

  test('the command can be run as a file, as a linked folder is after a build', () => {
    expect(spawnSync(cli.main, ['--version'], { encoding: 'utf8' })).toMatchObject({ status: 0 })
  })

  test('a password in an argument is refused, and named nowhere', async () => {
    const { code, stderr } = await cli.run([
      'list',
      '--primary',
      'postgresql://user:hunter22@host/db',
    ])
    expect(code).toBe(2)
    expect(stderr).toContain('EVERTHREAD_PRIMARY_URL')
    expect(stderr).not.toContain('hunter22')
  })

  test('a store that cannot be reached is exit 4, without its password', async () => {
    const url = `postgresql://user:hunter22@127.0.0.1:${await freePort()}/db`
    const env = { EVERTHREAD_PRIMARY_URL: url, EVERTHREAD_BACKUP_URL: url.replace('/db', '/other') }
    const all = await cli.run(['list', '--wal', 'memory:'], { env })
    expect(all.code).toBe(4)
    expect(all.stderr).not.toContain('hunter22')
    const one = await cli.run(['export', '--from', 'primary'], { env })
    expect({ code: one.code, stdout: one.stdout }).toEqual({ code: 4, stdout: '' })
    expect(one.stderr).not.toContain('hunter22')
    // A file that is not there is not an empty store.
    const file = await cli.run(['export', '--from', 'backup'])
    expect(file.code).toBe(4)
    expect(await readdir(cli.cwd)).not.toContain('data')
  })

  test('a file that is not there is exit 1, before any store is made', async () => {
    expect((await cli.run(['import', 'absent.jsonl'])).code).toBe(1)
    expect(await readdir(cli.cwd)).toEqual([])
  })

  test('a reader that goes early ends the export without a word', async () => {
    await importFile(jsonl(Array.from({ length: 20 }, (_, i) => conversation(`c${i}`, 800))))
    const child = cli.start(['export'])
    let stderr = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdout!.once('data', () => child.stdout!.destroy())
    const [code] = (await once(child, 'close')) as [number]
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  test.each([
    [['import', 'bad.jsonl'], 3],
    [['status', '--watch', '--json', '--interval', '0.1'], 0],
  ])('a reader that has gone changes no verdict: %j', async (args, expected) => {
    await writeFile(join(cli.cwd, 'bad.jsonl'), 'no conversation\n')
    const child = cli.start(args)
    child.stdout!.destroy()
    const [code] = (await once(child, 'close')) as [number]
    expect(code).toBe(expected)
  })

  test('settings come from the file, the environment and flags, in rising order', async () => {
    const config = { primary: 'sqlite:c1.db', backup: 'sqlite:c2.db', wal: 'file:wal', tenant: 'a' }
    await writeFile(join(cli.cwd, 'everthread.config.json'), JSON.stringify(config))
    await writeFile(join(cli.cwd, 'secret'), 'sqlite:e1.db\n')
    const env = { EVERTHREAD_PRIMARY_URL_FILE: 'secret', EVERTHREAD_BACKUP_URL: 'sqlite:e2.db' }
    const args = ['import', '-', '--backup', 'sqlite:f2.db']
    expect((await cli.run(args, { input: FILE, env })).code).toBe(0)
    const files = (await readdir(cli.cwd)).filter((file) => file.endsWith('.db'))
    expect(files.sort()).toEqual(['e1.db', 'f2.db'])
    const list = async (tenant: string): Promise<number> => {
      const all = ['list', '--json', '--primary', 'sqlite:e1.db', '--tenant', tenant]
      const { stdout } = await cli.run([...all, '--backup', 'sqlite:f2.db'])
      return (JSON.parse(stdout) as { conversations: unknown[] }).conversations.length
    }
    expect(await list('a')).toBe(5)
    expect(await list('b')).toBe(0)
  })
})

describe('looking into a store', () => {
  test('list pages through all conversations, the latest activity first', async () => {
    await importFile(FILE)
    const first = JSON.parse((await cli.run(['list', '--limit', '3', '--json'])).stdout)
    const args = ['list', '--limit', '3', '--before', first.nextCursor]
    const { stdout } = await cli.run(args)
    const ids = first.conversations.map((c: { conversationId: string }) => c.conversationId)
    ids.push(...[...stdout.matchAll(/c\d$/gm)].map(([id]) => id))
    expect(ids.sort()).toEqual(['c1', 'c3', 'c5', 'c7', 'c9'])
    expect(stdout).toMatch(/^last activity/)
  })

  test('show prints the latest messages, and escapes what could harm a terminal', async () => {
    await importFile(FILE)
    const { code, stdout } = await cli.run(['show', 'c1', '--limit', '2'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/question 28 of c1 \\u0000/)
    // oxlint-disable-next-line no-control-regex -- that there are none is the point
    expect(stdout).not.toMatch(/[\u0000\u001b]/)
    const page = JSON.parse((await cli.run(['show', 'c1', '--limit', '2', '--json'])).stdout)
    expect(page).toMatchObject({ conversationId: 'c1', complete: true })
    expect(page.messages).toHaveLength(2)
    expect((await cli.run(['show', 'nope'])).code).toBe(1)
  })

  test('clear needs --yes without a terminal, and what it cleared stays so', async () => {
    await importFile(FILE)
    const refused = await cli.run(['clear', 'c1'])
    expect(refused.code).toBe(2)
    const { code, stdout } = await cli.run(['clear', 'c1', '--yes', '--wait', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ clear: ['primary', 'backup'] })
    expect((await cli.run(['show', 'c1'])).code).toBe(1)
    expect(await exported(['--from', 'backup'])).toBe(
      jsonl(CONVERSATIONS.filter(({ conversationId }) => conversationId !== 'c1')),
    )
  })

  test('status tells each place, and its exit code says whether all is well', async () => {
    const good = await cli.run(['status', '--json'])
    expect(good.code).toBe(0)
    expect(JSON.parse(good.stdout)).toMatchObject({
      overall: 'ok',
      places: { primary: { type: 'sqlite', healthy: true }, backup: { durable: true } },
      wal: { durable: true },
    })
    const primary = `postgresql://127.0.0.1:${await freePort()}/db`
    const degraded = await cli.run(['status', '--primary', primary])
    expect(degraded.code).toBe(3)
    expect(degraded.stdout).toContain('not connected')
  })
})

describe('wal inspect', () => {
  test('tells what waits for a place that is out, and what is damaged', async () => {
    const refused = `postgresql://127.0.0.1:${await freePort()}/db`
    const env = { EVERTHREAD_BACKUP_URL: refused }
    expect((await cli.run(['import', '-'], { input: FILE, env })).code).toBe(0)
    const logs = async (): Promise<{ code: number | null; logs: LogInspection[] }> => {
      const { code, stdout } = await cli.run(['wal', 'inspect', 'data/wal', '--json'])
      return { code, logs: JSON.parse(stdout) as LogInspection[] }
    }
    const whole = await logs()
    expect(whole.code).toBe(0)
    expect(whole.logs).toMatchObject([
      { owner: 'free', clean: true, pending: { primary: 0 }, deadLetters: 0, damage: [] },
    ])
    const [log] = whole.logs
    // Ten groups: 30 + 90 + 150 + 210 + 270 messages, at most 100 a group.
    expect(log).toMatchObject({ entries: 10, pending: { backup: 10 } })
    const path = join(log!.path, log!.segments[0]!.name)
    const bytes = await readFile(path)
    bytes.writeUInt8(bytes[200]! ^ 1, 200)
    await writeFile(path, bytes)
    const damaged = await logs()
    expect(damaged.code).toBe(1)
    expect(damaged.logs[0]!.damage).toMatchObject([{ path }])
    expect((await cli.run(['wal', 'inspect', log!.path])).stdout).toContain('damaged')
  })

  test('a directory that is not there is a failure, and one without logs is not', async () => {
    expect((await cli.run(['wal', 'inspect', 'absent'])).code).toBe(1)
    expect(await cli.run(['wal', 'inspect', '.'])).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('the demo', () => {
  test('counts no message lost, duplicated, reordered or returned, and leaves nothing behind', async () => {
    const { code, stdout } = await cli.run(['demo', '--json'], { env: { TMPDIR: cli.cwd } })
    const clean = { lost: 0, duplicated: 0, reordered: 0, returned: 0 }
    const report = JSON.parse(stdout)
    expect(report.verdict).toEqual({ primary: clean, backup: clean })
    expect(code).toBe(0)
    const away = report.messages.filter((m: { savedWhile: string }) => m.savedWhile === 'away')
    expect(away).toHaveLength(6)
    for (const { copies } of away) expect(copies).not.toContain('primary')
    expect(await readdir(cli.cwd)).toEqual([])
  })

  test('tells its story in plain text off a terminal', async () => {
    const { code, stdout } = await cli.run(['demo', '--keep'], { env: { TMPDIR: cli.cwd } })
    expect(code).toBe(0)
    expect(stdout).not.toContain('\u001b')
    expect(stdout).toContain('The primary is taken away')
    expect(stdout).toMatch(/All 19 acknowledged messages are where they should be/)
    expect(await readdir(cli.cwd)).toHaveLength(1)
  })
})

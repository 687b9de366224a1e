// Goal: nothing that a store or a command does costs SQLite its locks or a name of its files.
// Method: two stores live in this process, one with its threads, one without, while every call and
// every command runs in it; after each Linux is asked what this process holds.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { runCli } from '../../src/cli/run-cli.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { ALL_HELD, locksOf } from '../support/sqlite-locks.ts'
import { BuiltCli } from './cli-process.ts'

const ON_LINUX = process.platform === 'linux'

const built = new BuiltCli()
let openBuilt: typeof openChatHistory
beforeAll(async () => {
  const module = (await import(pathToFileURL(built.entry).href)) as {
    openChatHistory: typeof openChatHistory
  }
  openBuilt = module.openChatHistory
})

interface Living {
  readonly directory: string
  readonly options: ChatHistoryOptions
  readonly history: ChatHistory
  /** Runs it and expects that the locks on both files are there, and their names. */
  keeps(what: string, call: () => unknown): Promise<void>
}

async function living(): Promise<Living> {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-locks-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const paths = [join(directory, 'primary.db'), join(directory, 'backup.db')]
  const options: ChatHistoryOptions = {
    primary: `sqlite:${paths[0]}`,
    backup: `sqlite:${paths[1]}`,
    wal: `file:${join(directory, 'wal')}`,
    tenant: 'a',
    retention: { maxMessages: 1_000 },
  }
  const history = await openBuilt(options)
  onTestFinished(() => history.close())
  return {
    directory,
    options,
    history,
    async keeps(what, call) {
      await call()
      for (const path of paths) {
        expect({ what, path, ...locksOf(process.pid, path) }).toEqual({ what, path, ...ALL_HELD })
      }
    },
  }
}

const user = (content: string, id: string) => ({ id, role: 'user', content }) as const

test.runIf(ON_LINUX)('every call of a store leaves the locks where they are', async () => {
  const { history, options, keeps } = await living()
  await keeps('open', () => {})
  await keeps('save', () => history.saveMessage('c', user('one', 'm1')))
  await keeps('save more', () => history.saveMessages('c', [user('2', 'm2'), user('3', 'm3')]))
  await keeps('flush', () => history.flush())
  await keeps('read', () => history.getHistory('c'))
  await keeps('read one', () => history.getMessage('c', 'm1'))
  await keeps('update', () => history.updateMessage('c', 'm1', user('two', 'm1')))
  await keeps('delete', () => history.deleteMessage('c', 'm2'))
  await keeps('count', () => history.countMessages('c'))
  await keeps('list', () => history.listConversations())
  await keeps('status', () => history.status())
  await keeps('verify', () => history.verify({ deep: true }))
  await keeps('reconcile', () => history.reconcile())
  await keeps('repair', () => history.repair())
  await keeps('retention', () => history.applyRetention())
  await keeps('clear', () => history.clearHistory('c'))
  await keeps('erase', () => history.eraseConversation('c'))
  await keeps('erase a tenant', () => history.eraseTenant('a'))
  await keeps('erasures', () => history.listErasures())
  await keeps('a second store opens and closes', async () => {
    const second = await openChatHistory({ ...options, wal: 'memory:' })
    await second.saveMessage('c', user('of the second', 'm4'))
    await second.close()
  })
})

/** A command in this process: its exit code, and what it said on standard error. */
async function command(directory: string, args: readonly string[]): Promise<[number, string]> {
  let told = ''
  const sink = (take: (text: string) => void): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        take(String(chunk))
        done()
      },
    })
  const code = await runCli(args, {
    stdin: Readable.from([]),
    stdout: sink(() => {}),
    stderr: sink((text) => (told += text)),
    variables: {
      EVERTHREAD_PRIMARY_URL: `sqlite:${join(directory, 'primary.db')}`,
      EVERTHREAD_BACKUP_URL: `sqlite:${join(directory, 'backup.db')}`,
      EVERTHREAD_WAL: `file:${join(directory, 'wal')}`,
    },
    cwd: directory,
    interrupt: new AbortController().signal,
  })
  return [code, told]
}

test.runIf(ON_LINUX)('every command leaves the locks where they are', async () => {
  const { directory, history, keeps } = await living()
  const line = { conversationId: 'c', messages: [{ role: 'user', content: 'one', id: 'm1' }] }
  writeFileSync(join(directory, 'in.jsonl'), `${JSON.stringify(line)}\n`)
  await history.saveMessage('c', user('one', 'm1'))
  await history.flush()
  for (const args of [
    ['import', 'in.jsonl'],
    ['export', '--output', 'out.jsonl'],
    ['export', '--from', 'primary', '--output', 'primary.jsonl'],
    ['list'],
    ['show', 'c'],
    ['status'],
    ['migrate', '--dry-run'],
    ['verify', '--deep'],
    ['reconcile'],
    ['repair'],
    ['erase', 'c', '--yes'],
    ['clear', 'c', '--yes'],
  ]) {
    const what = args.join(' ')
    await keeps(what, async () => {
      const [code, told] = await command(directory, args)
      expect({ what, code, told }).toMatchObject({ code: 0 })
    })
  }
})

test('a file of a database is refused as input and as output, before it is touched', async () => {
  const { directory, history, keeps } = await living()
  await history.saveMessage('c', user('one', 'm1'))
  const refused = async (...args: readonly string[]): Promise<void> => {
    const [code, told] = await command(directory, args)
    expect({ args, code, told }).toMatchObject({ code: 2 })
    expect(told).toMatch(/belongs to the database of the (?:primary|backup)/)
  }
  const call = async (): Promise<void> => {
    for (const file of ['primary.db', './backup.db-wal', join(directory, 'primary.db-shm')]) {
      await refused('import', file)
      await refused('export', '--output', file)
    }
  }
  await (ON_LINUX ? keeps('refused', call) : call())
})

// Goal: neither passwords nor messages turn up in logs, errors, events, status or printed output.
// Method: words that stand nowhere else are used as passwords and contents while everything fails;
// whatever the library says is searched for them.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openChatHistory, StorageError, type Logger } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { BuiltCli } from '../integration/cli-process.ts'

const PASSWORD = 'canary-password-7f3a'
const CONTENT = 'canary-content-91bc'
const SECRET = 'canary-session-secret-52de'
/** Nobody listens there. */
const PORT = 1

/** Everything that is said, as a careless logger would print it. */
class Listener implements Logger {
  said = ''

  hear(what: unknown): void {
    this.said += `${inspect(what, { depth: 20 })}\n${JSON.stringify(what) ?? ''}\n`
    // Most errors are printed with their causes.
    if (what instanceof Error) this.said += `${what.stack}\n${inspect(what.cause, { depth: 20 })}\n`
  }

  debug(fields: object, message: string): void {
    this.hear({ fields, message })
  }

  info(fields: object, message: string): void {
    this.hear({ fields, message })
  }

  warn(fields: object, message: string): void {
    this.hear({ fields, message })
  }

  error(fields: object, message: string): void {
    this.hear({ fields, message })
  }
}

const built = new BuiltCli()

beforeAll(async () => {})
afterAll(async () => {})

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'everthread-secrets-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

test.each([
  `postgres://user:${PASSWORD}@127.0.0.1:${PORT}/app`,
  `redis://user:${PASSWORD}@127.0.0.1:${PORT}/0`,
  `postgres://user:${PASSWORD}@host:notaport/app`,
  `nonsense://user:${PASSWORD}@host/app`,
])('a password in %s is not quoted when it cannot be used', async (primary) => {
  const listener = new Listener()
  try {
    const history = await openChatHistory({
      primary,
      backup: new DurableMemoryBackend(),
      wal: `file:${await directory()}`,
      logger: listener,
      connectTimeout: 300,
    })
    history.store.on('error', (event: unknown) => listener.hear(event))
    await history.saveMessage('c', { role: 'user', content: CONTENT })
    listener.hear(history.status())
    await history.close()
  } catch (error) {
    listener.hear(error)
  }
  expect(listener.said).not.toBe('')
  expect(listener.said).not.toContain(PASSWORD)
  expect(listener.said).not.toContain(CONTENT)
})

test('messages and secrets are in no log, event or error while places fail', async () => {
  const listener = new Listener()
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const history = await openChatHistory({
    primary,
    backup,
    wal: `file:${await directory()}`,
    sessionSecret: SECRET,
    logger: listener,
    drainTimeout: 200,
    write: { type: 'idempotent', config: { timeout: 300, maxRetries: 0 } },
  })
  for (const name of ['error', 'conflict', 'degraded', 'health', 'reconciled'] as const) {
    history.store.on(name, (event: unknown) => listener.hear(event))
  }
  const heard = (error: unknown): void => listener.hear(error)
  const save = (id: string, more: string): Promise<unknown> =>
    history.saveMessage('c', { id, role: 'user', content: CONTENT + more }).catch(heard)
  await save('1', '')
  await save('1', ' another')
  for (const mode of ['refused', 'reset', 'hung'] as const) {
    primary.setMode(mode)
    await save(`${mode} 1`, '')
    backup.setMode(mode)
    await save(`${mode} 2`, '')
    await history.getHistory('c').catch(heard)
    backup.setMode('up')
    primary.setMode('up')
  }
  // A poison entry: neither database will ever take it.
  primary.onCall((call) => reject(call))
  backup.onCall((call) => reject(call))
  await save('poison', '')
  const bad = { role: 'user', content: CONTENT, bad: () => 1 } as const
  await history.saveMessage('c', bad).catch(heard)
  await history.getHistory('c', { session: `${CONTENT}.x` }).catch(heard)
  listener.hear(history.status())
  await history.close().catch(heard)
  expect(listener.said).toContain('INVALID_ARGUMENT')
  expect(listener.said).not.toContain(CONTENT)
  expect(listener.said).not.toContain(SECRET)
})

function reject(call: string): void {
  if (call === 'apply') throw new StorageError('REJECTED', 'never', { effect: 'none' })
}

test('the command line prints no password, and takes none as an argument', async () => {
  const cwd = await directory()
  const url = `postgres://user:${PASSWORD}@127.0.0.1:${PORT}/app`
  const env = {
    EVERTHREAD_PRIMARY_URL: url,
    EVERTHREAD_BACKUP_URL: 'sqlite:backup.db',
    EVERTHREAD_WAL: 'file:wal',
  }
  for (const args of [['status'], ['list'], ['show', 'c'], ['verify'], ['status', '--json']]) {
    const { stdout, stderr } = await built.run(args, { cwd, env })
    expect(stdout + stderr).not.toBe('')
    expect(stdout + stderr).not.toContain(PASSWORD)
  }
  const { code, stdout, stderr } = await built.run(['status', '--primary', url], { cwd })
  expect(code).not.toBe(0)
  expect(stdout + stderr).not.toContain(PASSWORD)
})

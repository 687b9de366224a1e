// Goal: with keys in the environment the command line reads and writes an encrypted store, exports are
// encrypted on demand, and without the keys nothing encrypted is taken for plain.
// Method: the compiled package is run as a child, on SQLite and file logs in a folder of each test.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { conversationKey } from '../../src/chat/keys.ts'
import { damageSqlite } from '../../simulator/damage-sqlite.ts'
import { filesWith } from '../support/files-with.ts'
import { freePort } from '../support/free-port.ts'
import type { CliResult } from './cli-process.ts'
import { cliTests, conversationOf } from './cli-tests.ts'

const CANARY = 'canary-a7a7'
const env = { EVERTHREAD_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}` }
const other = { EVERTHREAD_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}` }

const cli = cliTests()

async function run(
  args: readonly string[],
  variables: Record<string, string> = env,
): Promise<CliResult> {
  return await cli.run(args, { env: variables })
}

async function save(args: readonly string[] = []): Promise<void> {
  cli.env = env
  await cli.save([conversationOf('c', 1, CANARY)], args)
  cli.env = {}
}

test('an encrypted export has no content, comes back with its key, and not with another one', async () => {
  await save()
  const found = await filesWith(cli.cwd, CANARY)
  expect(found.every((name) => name.startsWith('primary.db'))).toBe(true)
  expect((await run(['export', '--encrypt', '--output', 'out.jsonl'])).code).toBe(0)
  expect(await filesWith(cli.cwd, CANARY)).toEqual(found)
  const target = ['--primary', 'sqlite:p2.db', '--backup', 'sqlite:b2.db', '--wal', 'memory:']
  expect((await run(['import', 'out.jsonl', ...target], other)).code).toBe(3)
  const missing = await run(['import', 'out.jsonl', ...target], {})
  expect(missing.code).toBe(3)
  expect(missing.stderr).toMatch(/is encrypted: EVERTHREAD_ENCRYPTION_KEYS/)
  expect((await run(['import', 'out.jsonl', ...target])).code).toBe(0)
  expect((await run(['show', 'c', ...target])).stdout).toContain(CANARY)
  expect((await run(['export', '--encrypt'], {})).code).toBe(2)
})

test('the backup is read alone with the key, and without it nothing is called damaged', async () => {
  await save()
  const locked = await run(['export', '--from', 'backup'], {})
  expect(locked).toMatchObject({ code: 4, stdout: '' })
  expect(locked.stderr).toMatch(/needs the encryption key k1; none is given/)
  const plain = await run(['export', '--from', 'backup'])
  expect(plain.stdout).toContain(CANARY)
  expect((await run(['migrate', '--dry-run'])).code).toBe(0)
})

test('an encrypted log is replayed into a plain database with its key only', async () => {
  await save(['--backup', `postgresql://127.0.0.1:${await freePort()}/none`])
  const replay = ['wal', 'replay', 'data/wal', '--to', 'sqlite:copy.db']
  const refused = await run(replay, {})
  expect(refused.code).toBe(4)
  expect(refused.stderr).toMatch(/the log is encrypted/)
  // Nobody knows what the database is to be: a copy of the primary, or one that must have nothing plain.
  const unclear = await run(replay)
  expect(unclear.code).toBe(2)
  expect(unclear.stderr).toMatch(/--as primary.*plain.*--as backup/s)
  const encrypted = ['wal', 'replay', 'data/wal', '--to', 'sqlite:encrypted.db', '--as', 'backup']
  expect((await run(encrypted)).code).toBe(0)
  expect((await run([...replay, '--as', 'primary'])).code).toBe(0)
  expect(await filesWith(cli.cwd, CANARY)).toContain('copy.db')
  expect(await filesWith(cli.cwd, CANARY)).not.toContain('encrypted.db')
  const backup = ['--from', 'backup', '--backup', 'sqlite:encrypted.db']
  expect((await run(['export', ...backup])).stdout).toContain(CANARY)
  expect((await run(['wal', 'replay', 'data/wal', '--to', 'backup', '--as', 'primary'])).code).toBe(
    2,
  )
  expect((await run(['wal', 'verify', 'data/wal'], {})).code).toBe(0)
})

test('a value of an encrypted backup that was changed is found with the key, and mended', async () => {
  await save()
  const value = { key: conversationKey('', 'c'), part: 'appended', id: 'import-0' } as const
  await damageSqlite(join(cli.cwd, 'data', 'backup.db'), value, '"changed"')
  const found = await run(['verify', '--deep', '--json'])
  expect([found.code, JSON.parse(found.stdout)]).toMatchObject([3, { damaged: 1 }])
  expect((await run(['repair'])).code).toBe(0)
  expect((await run(['verify', '--deep'])).code).toBe(0)
  expect((await run(['export', '--from', 'backup'])).stdout).toContain(CANARY)
})

// Goal: verify, reconcile, repair and restore do what they say, and their exit codes can be relied on.
// Method: the compiled package is run as a child, on SQLite and file logs in a folder of each test.
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { damageSqlite } from '../../simulator/damage-sqlite.ts'
import { cliTests, conversationOf } from './cli-tests.ts'

const cli = cliTests()

const KEY = 'chat/0::a'

async function save(id: string, size: number): Promise<void> {
  await cli.save([conversationOf(id, size)])
}

const file = (place: string): string => join(cli.cwd, 'data', `${place}.db`)

async function lose(place: string): Promise<void> {
  for (const end of ['', '-wal', '-shm']) await rm(`${file(place)}${end}`, { force: true })
}

async function count(place: string): Promise<number> {
  const backend = new SqliteBackend({ path: file(place) })
  await backend.connect()
  try {
    return (await backend.countItems(KEY)).count
  } finally {
    await backend.disconnect()
  }
}

test('verify tells equal from different by its exit code, and changes nothing', async () => {
  await save('a', 5)
  expect(await cli.json('verify')).toMatchObject([0, { compared: 5, rowsRead: 0, copied: 0 }])
  await cp(file('backup'), join(cli.cwd, 'old.db'))
  await save('b', 4)
  await lose('backup')
  await cp(join(cli.cwd, 'old.db'), file('backup'))
  expect(await cli.json('verify')).toMatchObject([3, { missingInBackup: 4, copied: 0 }])
  expect(await cli.json('reconcile', '--dry-run')).toMatchObject([
    3,
    { dryRun: true, missingInBackup: 4, copied: 0 },
  ])
  expect((await cli.json('verify'))[0]).toBe(3)
  expect(await cli.json('reconcile')).toMatchObject([0, { missingInBackup: 4, copied: 4 }])
  expect(await cli.json('verify')).toMatchObject([0, { compared: 9, missingInBackup: 0 }])
  const text = await cli.run(['verify'])
  expect([text.code, text.stderr]).toEqual([0, ''])
  expect(text.stdout).toMatch(/^rows compared +9\nmissing in primary +0\n/)
})

test('verify --older-than leaves out what may be on its way', async () => {
  await save('a', 5)
  const backend = new SqliteBackend({ path: file('primary') })
  await backend.connect()
  await backend.append('only in the primary', 1)
  await backend.disconnect()
  expect((await cli.json('verify'))[0]).toBe(3)
  expect(await cli.json('verify', '--older-than', '3600')).toMatchObject([0, { compared: 0 }])
  expect((await cli.json('verify', '--older-than', '0'))[0]).toBe(3)
  expect((await cli.run(['verify', '--older-than', 'a while'])).code).toBe(2)
})

test('verify --deep names the damaged row, and repair takes the intact one', async () => {
  await save('a', 5)
  const value = { key: KEY, part: 'appended', id: 'import-2' } as const
  await damageSqlite(file('primary'), value, '{"content":"not what was said"}')
  expect((await cli.json('verify'))[0]).toBe(0)
  const row = { place: 'primary', key: KEY, id: 'import-2', part: 'appended', repaired: false }
  expect(await cli.json('verify', '--deep')).toMatchObject([3, { damaged: 1, damagedRows: [row] }])
  expect(await cli.json('repair', '--dry-run')).toMatchObject([
    3,
    { dryRun: true, damaged: 1, repaired: 0 },
  ])
  expect(await cli.json('repair')).toMatchObject([0, { damaged: 1, repaired: 1 }])
  expect(await cli.json('verify', '--deep')).toMatchObject([0, { damaged: 0 }])
  const { stdout } = await cli.run(['export', '--from', 'primary'])
  expect(stdout).toContain('message 2 of a')
})

test.each(['primary', 'backup'])('restore makes a %s that was lost anew', async (lost) => {
  await save('a', 300)
  await lose(lost)
  const kept = lost === 'primary' ? 'backup' : 'primary'
  // Nothing is made by looking: the target is not there.
  const dry = await cli.run(['restore', '--from', kept, '--to', lost, '--dry-run'])
  expect(dry.code).toBe(4)
  expect(await cli.json('restore', '--from', kept, '--to', lost)).toMatchObject([
    0,
    { copied: 300 },
  ])
  expect(await count(lost)).toBe(300)
  expect(await cli.json('verify')).toMatchObject([0, { compared: 300 }])
  const status = JSON.parse((await cli.run(['status', '--json'])).stdout) as { trusted: boolean }
  expect(status.trusted).toBe(true)
})

test('restore copies one way only', async () => {
  await save('a', 5)
  const backend = new SqliteBackend({ path: file('primary') })
  await backend.connect()
  await backend.append('only in the primary', 1)
  await backend.disconnect()
  const other = new SqliteBackend({ path: file('backup') })
  await other.connect()
  await other.append('only in the backup', 1)
  await other.disconnect()
  expect(await cli.json('restore', '--from', 'backup', '--to', 'primary')).toMatchObject([
    0,
    { copied: 1, missingInBackup: 1, missingInPrimary: 1 },
  ])
  expect(await cli.json('verify')).toMatchObject([3, { missingInBackup: 1, missingInPrimary: 0 }])
  // Nothing is left to do that way, whatever the other way lacks.
  const way = ['restore', '--from', 'backup', '--to', 'primary']
  expect(await cli.json(...way)).toMatchObject([0, { copied: 0, missingInBackup: 1 }])
  expect((await cli.json(...way, '--dry-run'))[0]).toBe(0)
})

test.each([
  [['restore', '--from', 'backup'], /--to/],
  [['restore', '--from', 'backup', '--to', 'backup'], /must differ/],
  [['restore', '--from', 'backup', '--to', 'wal'], /primary, backup/],
  [['reconcile', '--rows-per-second', '0'], /whole number/],
])('%j is a mistake', async (args, text) => {
  const { code, stderr } = await cli.run(args)
  expect(code).toBe(2)
  expect(stderr).toMatch(text)
})

test('a database that is out is exit 4', async () => {
  await save('a', 1)
  await lose('backup')
  await rm(join(cli.cwd, 'data', 'backup.db'), { force: true })
  expect((await cli.run(['verify'])).code).toBe(4)
  const { code } = await cli.run(['reconcile'], {
    env: { EVERTHREAD_BACKUP_URL: 'redis://127.0.0.1:1' },
  })
  expect(code).toBe(4)
})

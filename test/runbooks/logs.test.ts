// Goal: the runbooks about logs, keys and erases end as docs/runbooks.md says.
// Method: their commands are run as they are printed there, on SQLite and file logs in a folder of each test.
import { randomBytes } from 'node:crypto'
import { cp, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadSqliteDriver } from '../../src/backend/sqlite/connection/driver.ts'
import { openChatHistory } from '../../src/index.ts'
import { cliTests, conversationOf } from '../integration/cli-tests.ts'
import { filesWith } from '../support/files-with.ts'
import { freePort } from '../support/free-port.ts'
import { hasRedis, startRedis } from '../support/redis-server.ts'
import { Runbook } from './runbook.ts'

const cli = cliTests()
const inData = (...path: string[]): string => join(cli.cwd, 'data', ...path)

/** A backup that nothing answers for: what is saved stays in the log. */
async function nowhere(): Promise<string[]> {
  return ['--backup', `postgresql://127.0.0.1:${await freePort()}/none`]
}

async function logs(): Promise<string[]> {
  return (await readdir(inData('wal'))).filter((name) => name.startsWith('w-'))
}

async function sql(file: string, text: string): Promise<void> {
  const driver = await loadSqliteDriver()
  const database = driver.open(inData(file))
  database.exec(text)
  database.close()
}

test('a damaged log: looked at, moved away, replayed, reconciled', async () => {
  const runbook = await Runbook.open('The log is CORRUPT', cli)
  await cli.save([conversationOf('a', 30), conversationOf('b', 30)], await nowhere())
  const [log] = await logs()
  const segments = (await readdir(inData('wal', log!))).filter((name) => name.endsWith('.wal'))
  const file = await open(inData('wal', log!, segments.sort()[0]!), 'r+')
  await file.write(Buffer.from('X'), 0, 1, 150)
  await file.close()
  const refused = await cli.run(['list'])
  expect(refused.stderr).toMatch(/\.wal at \d+|at offset \d+/)
  await cp(inData('wal'), join(cli.cwd, 'copy'), { recursive: true })
  const words = { FOLDER: 'data/wal', MOVED: `moved/${log!}` }
  await runbook.step('everthread wal inspect FOLDER', { words, code: 1 })
  const verified = await runbook.step('everthread wal verify FOLDER', { words, code: 1 })
  expect(verified.stdout).toMatch(/DAMAGED/)
  await mkdir(join(cli.cwd, 'moved'))
  await rename(inData('wal', log!), join(cli.cwd, words.MOVED))
  expect((await cli.run(['status'])).code).toBe(0)
  // Exit 3: what can be read was merged, and the damage is told.
  await runbook.step('everthread wal replay MOVED --to primary', { words, code: 3 })
  await runbook.step('everthread reconcile')
  for (const place of ['primary', 'backup']) {
    const { stdout } = await cli.run(['export', '--from', place])
    expect(stdout.match(/message \d+ of/g)).toHaveLength(60)
  }
})

test('entries that a database refuses: listed, mended, sent again', async () => {
  const runbook = await Runbook.open('Entries are quarantined', cli)
  await cli.save([conversationOf('a', 3)])
  await sql(
    'backup.db',
    `CREATE TRIGGER no BEFORE INSERT ON everthread_items BEGIN SELECT RAISE(ABORT, 'nobody may write'); END`,
  )
  await cli.save([conversationOf('b', 3)])
  expect((await cli.run(['status'])).stdout).toMatch(/! backup: refuses/)
  const listed = await runbook.step('everthread wal dead-letters data/wal', { code: 3 })
  expect(listed.stdout).toMatch(/backup .* b .*nobody may write/)
  expect((await cli.run(['show', 'b'])).stdout).toMatch(/message 2 of b/)
  await runbook.step('everthread wal dead-letters data/wal --resend', { code: 3 })
  await sql('backup.db', 'DROP TRIGGER no')
  await runbook.step('everthread wal dead-letters data/wal --resend')
  await runbook.step('everthread wal dead-letters data/wal')
  expect((await cli.run(['verify'])).code).toBe(0)
})

test.runIf(hasRedis)(
  'the same of a shared log, beside a service that met the refusal',
  async () => {
    const runbook = await Runbook.open('Entries are quarantined', cli)
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    cli.env = { EVERTHREAD_WAL: redis.url.replace('redis:', 'redis-stream:') }
    await cli.save([conversationOf('a', 3)])
    await sql(
      'backup.db',
      `CREATE TRIGGER no BEFORE INSERT ON everthread_items BEGIN SELECT RAISE(ABORT, 'nobody may write'); END`,
    )
    const service = await openChatHistory({
      primary: `sqlite:${inData('primary.db')}`,
      backup: `sqlite:${inData('backup.db')}`,
      wal: cli.env['EVERTHREAD_WAL']!,
    })
    onTestFinished(() => service.close())
    await service.saveMessage('b', { role: 'user', content: 'message 0 of b' })
    const refused = (): number => service.status().places.backup.quarantined
    await expect.poll(refused, { timeout: 20_000 }).toBeGreaterThan(0)
    const listed = await runbook.step('everthread wal dead-letters', { code: 3 })
    expect(listed.stdout).toMatch(/backup .*b .*nobody may write/)
    await sql('backup.db', 'DROP TRIGGER no')
    await runbook.step('everthread wal dead-letters --resend')
    await runbook.step('everthread wal dead-letters')
    await expect.poll(refused, { timeout: 20_000 }).toBe(0)
    expect((await cli.run(['verify'])).code).toBe(0)
  },
)

test('a key is rotated, and the old one taken away', async () => {
  const runbook = await Runbook.open('Rotating a key', cli)
  const key = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`
  const [k1, k2] = [key('k1'), key('k2')]
  const use = (keys: string): void => void (cli.env = { EVERTHREAD_ENCRYPTION_KEYS: keys })
  use(k1)
  await cli.save([conversationOf('a', 3)])
  use(`${k2},${k1}`)
  await cli.save([conversationOf('b', 3)])
  use(k2)
  expect((await cli.run(['verify', '--deep'])).stderr).toMatch(/needs the encryption key k1/)
  use(`${k2},${k1}`)
  for (const end of ['', '-wal', '-shm']) await rm(inData(`backup.db${end}`), { force: true })
  await runbook.step('everthread restore --from primary --to backup')
  expect((await cli.run(['status'])).code).toBe(0)
  use(k2)
  await runbook.step('everthread verify --deep')
  const { code, stdout } = await cli.run(['export', '--from', 'backup'])
  expect([code, stdout.match(/message \d of/g)?.length]).toEqual([0, 6])
})

test('an erase: how much, done, the receipt, and the list', async () => {
  const runbook = await Runbook.open('Erasing a conversation or a tenant', cli)
  await cli.save([conversationOf('ann', 3, 'canary'), conversationOf('bob', 3)])
  const words = { ID: 'ann' }
  const dry = await runbook.step('everthread erase ID --dry-run', { words })
  expect(dry.stdout).toMatch(/1 conversations, 3 messages/)
  await runbook.step('everthread erase ID --yes', { words })
  await runbook.step('everthread erase --list')
  expect(await filesWith(cli.cwd, 'canary')).toEqual([])
  expect((await cli.run(['show', 'bob'])).code).toBe(0)
})

// Goal: what operators look at and do: status, schemas, and logs that are read, replayed and sent again.
// Method: the compiled package is run as a child, on SQLite and file logs in a folder of each test.
import { once } from 'node:events'
import { open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import type { StoreStatus } from '../../src/index.ts'
import { freePort } from '../support/free-port.ts'
import { cliTests } from './cli-tests.ts'

const cli = cliTests()

/** A log with entries that the backup lacks: it is nowhere. */
async function logWithPending(count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, i) => ({ role: 'user', content: `m${i}` }))
  await writeFile(
    join(cli.cwd, 'in.jsonl'),
    `${JSON.stringify({ conversationId: 'c', messages })}\n`,
  )
  const backup = `postgresql://127.0.0.1:${await freePort()}/none`
  expect((await cli.run(['import', 'in.jsonl', '--json', '--backup', backup])).code).toBe(0)
}

async function damage(): Promise<void> {
  const root = join(cli.cwd, 'data', 'wal')
  const [log] = await readdir(root)
  const segment = (await readdir(join(root, log!))).filter((name) => name.endsWith('.wal')).sort()
  for (const name of segment) {
    const file = await open(join(root, log!, name), 'r+')
    if ((await file.stat()).size > 200) await file.write(Buffer.from('X'), 0, 1, 150)
    await file.close()
  }
}

test('status tells of each place, what is wrong, and with its exit code how it is', async () => {
  const well = await cli.run(['status'])
  expect(well.code).toBe(0)
  expect(well.stdout).toMatch(/^overall +ok\n/)
  for (const name of ['primary', 'backup', 'wal'])
    expect(well.stdout).toMatch(new RegExp(`\n${name} `))
  const backup = `postgresql://127.0.0.1:${await freePort()}/none`
  const ill = await cli.run(['status', '--backup', backup])
  expect(ill.code).toBe(3)
  expect(ill.stdout).toMatch(/^overall +degraded\n/)
  expect(ill.stdout).toMatch(/\n! backup: .*ECONNREFUSED/)
})

test('status --watch goes on until it is interrupted', async () => {
  const child = cli.start(['status', '--watch', '--interval', '0.1', '--json'])
  const seen: StoreStatus[] = []
  for await (const line of createInterface({ input: child.stdout! })) {
    seen.push(JSON.parse(line) as StoreStatus)
    if (seen.length === 3) child.kill('SIGINT')
  }
  if (child.exitCode === null) await once(child, 'close')
  expect(child.exitCode).toBe(130)
  expect(seen.every(({ overall }) => overall === 'ok')).toBe(true)
})

test('migrate shows what is due, applies it once, and a dry run changes nothing', async () => {
  const due = await cli.run(['migrate', '--dry-run', '--json'])
  expect(due.code).toBe(3)
  expect(JSON.parse(due.stdout)).toMatchObject([
    { place: 'primary', type: 'sqlite', from: 0 },
    { place: 'backup', type: 'sqlite', from: 0 },
  ])
  expect(await readdir(cli.cwd)).toEqual([])
  const applied = await cli.run(['migrate'])
  expect(applied.code).toBe(0)
  expect(applied.stdout).toMatch(/primary +sqlite +1 .* applied/)
  const again = await cli.run(['migrate', '--dry-run'])
  expect(again.code).toBe(0)
  expect(again.stdout).toMatch(/up to date/)
  expect((await cli.run(['migrate', '--show'])).stdout).toMatch(/has it/)
})

test('wal verify decodes every entry, and names what is damaged', async () => {
  await logWithPending(30)
  const good = await cli.run(['wal', 'verify', 'data/wal', '--json'])
  expect(good.code).toBe(0)
  expect(JSON.parse(good.stdout)).toMatchObject([{ damage: [] }])
  await damage()
  const bad = await cli.run(['wal', 'verify', 'data/wal'])
  expect(bad.code).toBe(1)
  expect(bad.stdout).toMatch(/DAMAGED/)
  expect(bad.stdout).toMatch(/\.wal at \d+: /)
})

test('wal replay merges a log into any database, twice like once, and leaves it as it was', async () => {
  await logWithPending(30)
  const dry = await cli.run([
    'wal',
    'replay',
    'data/wal',
    '--to',
    'sqlite:copy.db',
    '--dry-run',
    '--json',
  ])
  const counted = JSON.parse(dry.stdout) as { entries: number; operations: number }
  expect(counted).toMatchObject({ dryRun: true, rejected: [], damage: [] })
  expect(await readdir(cli.cwd)).not.toContain('copy.db')
  for (let round = 0; round < 2; round++) {
    const done = await cli.run(['wal', 'replay', 'data/wal', '--to', 'sqlite:copy.db', '--json'])
    expect(done.code).toBe(0)
    expect(JSON.parse(done.stdout)).toEqual({ ...counted, dryRun: false })
  }
  const copy = new SqliteBackend({ path: join(cli.cwd, 'copy.db') })
  await copy.connect()
  expect((await copy.countItems('chat/0::c')).count).toBe(30)
  await copy.disconnect()
  expect((await cli.run(['wal', 'verify', 'data/wal'])).code).toBe(0)
  const secret = await cli.run([
    'wal',
    'replay',
    'data/wal',
    '--to',
    'postgresql://u:hunter22@h/db',
  ])
  expect(secret.code).toBe(2)
  expect(secret.stderr).not.toContain('hunter22')
})

test('wal replay of a damaged log brings what can be read, and says so', async () => {
  await logWithPending(30)
  await damage()
  const done = await cli.run(['wal', 'replay', 'data/wal', '--to', 'sqlite:copy.db', '--json'])
  expect(done.code).toBe(3)
  expect((JSON.parse(done.stdout) as { damage: unknown[] }).damage).not.toEqual([])
})

test('dead letters are listed with their reasons, and sent again once their cause is mended', async () => {
  const wal = new FileWal(nodeEnv(), { directory: join(cli.cwd, 'data', 'wal') })
  await wal.open('8000-000000000001')
  const lsn = await wal.append([append('chat/0::c', stampAt(1), { role: 'user', content: 'late' })])
  wal.acknowledge('primary', [lsn])
  await wal.quarantine('backup', lsn, 'a constraint that somebody added')
  await wal.close()
  const listed = await cli.run(['wal', 'dead-letters', 'data/wal', '--json'])
  expect(listed.code).toBe(3)
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { place: 'backup', lsn, reason: 'a constraint that somebody added', conversations: ['c'] },
  ])
  expect((await cli.run(['status'])).stdout).toMatch(/! backup: refuses 1 entries/)
  const sent = await cli.run(['wal', 'dead-letters', 'data/wal', '--resend', '--json'])
  expect([sent.code, JSON.parse(sent.stdout)]).toEqual([0, { resent: 1, refused: 0 }])
  const backup = new SqliteBackend({ path: join(cli.cwd, 'data', 'backup.db') })
  await backup.connect()
  expect((await backup.countItems('chat/0::c')).count).toBe(1)
  await backup.disconnect()
  expect((await cli.run(['wal', 'dead-letters', 'data/wal'])).code).toBe(0)
})

test('what others have stored reaches the terminal without control characters, whatever it is', async () => {
  const backend = new SqliteBackend({ path: join(cli.cwd, 'x.db') })
  await backend.connect()
  const evil = '\u001b[2J\u009b31m'
  const messages = [
    { role: evil, content: evil, name: evil, toolCallId: evil, createdAt: evil },
    { role: 'user', content: { evil }, name: [evil], toolCalls: evil, createdAt: 5 },
    { role: 'user', content: [null, 7, { type: 'text', text: evil }], toolCalls: [null] },
  ]
  const stored = messages.map((message, i) => append('chat/0::c', stampAt(i), message, `id ${i}`))
  await backend.apply(stored)
  await backend.disconnect()
  const places = ['--primary', 'sqlite:x.db', '--backup', 'sqlite:y.db']
  const shown = await cli.run(['show', 'c', ...places])
  expect(shown.stderr).not.toMatch(/TypeError|is not a function/)
  for (const id of ['id 0', 'id 1', 'id 2']) expect(shown.stdout).toContain(id)
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  expect(shown.stdout + shown.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
})

// Goal: a backup that is out for the whole time is not noticed by saves and reads; when it is back it
// gets everything, clears included. With both databases out, the log alone takes saves.
// Method: a SQLite file that cannot be opened, and one that another process keeps locked, behind a
// PostgreSQL primary; then PostgreSQL as the backup of SQLite, killed. All with a file log.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeServers } from './support/describe-servers.ts'
import { placeContents } from './support/place-contents.ts'
import { storeRig } from './support/store-rig.ts'
import { Workload } from './support/workload.ts'

const CLEAN = { failedSaves: 0, failedReads: 0, lost: 0, doubled: 0, reordered: 0 }

describeServers('a backup that is out', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  test.each(['idempotent', 'wal-first', 'dual-write'] as const)(
    '%s: from before the start until the end is not noticed, and gets everything when it is back',
    async (write) => {
      const { directory, open, places } = await storeRig(server)
      // A directory stands where the file belongs.
      await mkdir(join(directory, 'backup.db'))
      const history = await open({ write, allowDegradedStart: true })
      const workload = new Workload({ history })
      const { ledger } = workload
      await workload.proceed(300)
      const { backup } = history.status().places
      expect(backup).toMatchObject({ connected: false, healthy: false })
      expect(backup.pending).toBeGreaterThanOrEqual(300)
      expect(history.status().overall).toBe('degraded')
      await rm(join(directory, 'backup.db'), { recursive: true })
      await workload.proceed(100)
      await workload.stop()
      await expect.poll(() => history.status().places.backup.connected).toBe(true)
      await history.flush()
      await ledger.compare(await places())
      expect(ledger.examples).toEqual([])
      expect(ledger.verdict).toMatchObject(CLEAN)
      expect(history.status().places.backup.pending).toBe(0)
    },
  )

  test('by the lock of another process is not noticed either', async () => {
    const { directory, open, places } = await storeRig(server)
    const history = await open()
    const workload = new Workload({ history })
    const { ledger } = workload
    await workload.proceed(50)
    const other = new DatabaseSync(join(directory, 'backup.db'), { timeout: 5_000 })
    onTestFinished(() => other.close())
    other.exec('BEGIN EXCLUSIVE')
    await workload.proceed(300)
    other.exec('COMMIT')
    await workload.stop()
    await history.flush()
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
  })

  test('as a PostgreSQL server that is killed, behind SQLite, is not noticed either', async () => {
    const { directory, options, open, places } = await storeRig(server)
    const history = await open({ primary: options.backup!, backup: options.primary! })
    const workload = new Workload({ history })
    const { ledger } = workload
    await workload.proceed(50)
    await server.kill()
    await workload.proceed(300)
    expect(history.status().places.backup.pending).toBeGreaterThanOrEqual(200)
    await server.restart()
    await workload.proceed(50)
    await workload.stop()
    await history.flush()
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
    expect(directory).not.toBe('')
  })

  test('misses no clear, no edit and no removal', async () => {
    const { directory, open, places } = await storeRig(server)
    const history = await open()
    const say = async (conversation: string, content: string): Promise<string> =>
      (await history.saveMessage(conversation, { role: 'user', content })).id
    for (let i = 0; i < 10; i++) await say('cleared', `old ${i}`)
    const [edited, removed] = [await say('changed', 'draft'), await say('changed', 'wrong')]
    await history.flush()
    const other = new DatabaseSync(join(directory, 'backup.db'), { timeout: 5_000 })
    onTestFinished(() => other.close())
    other.exec('BEGIN EXCLUSIVE')
    const { clear } = await history.clearHistory('cleared')
    expect(clear).toEqual(['primary'])
    await say('cleared', 'new')
    await history.updateMessage('changed', edited, { role: 'user', content: 'final' })
    await history.deleteMessage('changed', removed)
    other.exec('COMMIT')
    await history.flush()
    for (const place of Object.values(await places())) {
      const contents = async (conversation: string): Promise<unknown[]> =>
        (await placeContents(place, conversation)).map(
          (item) =>
            (JSON.parse((item.edited ?? item.appended)!) as { readonly content: unknown }).content,
        )
      expect(await contents('cleared')).toEqual(['new'])
      expect(await contents('changed')).toEqual(['final'])
    }
  })

  test('together with the primary leaves saves to the log, and reads say that they cannot', async () => {
    const { directory, proxy, open, places } = await storeRig(server)
    const first = await open()
    const workload = new Workload({ history: first })
    const { ledger } = workload
    await workload.proceed(50)
    await workload.stop()
    await first.flush()
    await first.close()
    // The backup's file is away and something else is in its place.
    const path = join(directory, 'backup.db')
    const kept = new SqliteBackend({ path: join(directory, 'kept.db') })
    onTestFinished(() => kept.disconnect())
    await kept.connect()
    await kept.disconnect()
    const { rename } = await import('node:fs/promises')
    for (const end of ['', '-wal', '-shm']) {
      await rename(path + end, `${path}.away${end}`).catch(() => {})
    }
    await mkdir(path)
    await writeFile(join(path, 'in the way'), '')
    const history = await open({ drainTimeout: 100, allowDegradedStart: true })
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    for (let i = 0; i < 20; i++) await ledger.save(history, 'a', `log only ${i}`)
    expect(ledger.verdict.failedSaves).toBe(0)
    expect(ledger.receipts.at(-1)).toMatchObject({ copies: ['wal'], durable: true })
    await expect(history.getHistory('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(history.status()).toMatchObject({
      overall: 'degraded',
      places: { primary: { healthy: false }, backup: { connected: false } },
    })
    await rm(path, { recursive: true })
    for (const end of ['', '-wal', '-shm']) {
      await rename(`${path}.away${end}`, path + end).catch(() => {})
    }
    await proxy.set({ kind: 'pass' })
    await expect.poll(() => history.status().places.backup.connected).toBe(true)
    await history.flush()
    await ledger.read(history, 'a')
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
  })
})

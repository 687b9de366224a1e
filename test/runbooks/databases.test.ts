// Goal: the runbooks about whole databases end as docs/runbooks.md says, with a service that writes all the while.
// Method: their commands are run as they are printed there, on private PostgreSQL servers and SQLite.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { StoreStatus } from '../../src/index.ts'
import { cliTests, conversationOf } from '../integration/cli-tests.ts'
import { postgresEngine, sqliteEngine, type OperatedPlace } from '../support/operated-place.ts'
import { hasPostgres, postgresBinaries } from '../support/postgres-binaries.ts'
import { Runbook } from './runbook.ts'
import { Service } from './service.ts'

const cli = cliTests()
const engine = postgresEngine()

describe.runIf(hasPostgres())('runbooks about databases', () => {
  let primary: OperatedPlace
  let backup: OperatedPlace

  beforeAll(() => engine.start())
  afterAll(() => engine.stop())
  beforeEach(async () => {
    primary = await engine.create(cli.cwd)
    backup = await sqliteEngine().create(cli.cwd)
    cli.env = { EVERTHREAD_PRIMARY_URL: primary.url, EVERTHREAD_BACKUP_URL: backup.url }
  })

  async function serve(backupUsed: OperatedPlace, primaryUsed = primary): Promise<Service> {
    const service = await Service.start({
      primary: primaryUsed.url,
      backup: backupUsed.url,
      wal: `file:${join(cli.cwd, 'data', 'wal')}`,
    })
    onTestFinished(() => service.stop())
    return service
  }

  /** Every acknowledged message, once, in the database alone. */
  async function expectAll(place: OperatedPlace, services: readonly Service[]): Promise<void> {
    const backend = await place.open()
    const ids: string[] = []
    for (let i = 0; i < 5; i++) {
      const { items } = await backend.readItems({
        key: `chat/0::c${i}`,
        limit: 1000,
        order: 'oldest',
      })
      ids.push(...items.map(({ id }) => id))
    }
    await backend.disconnect()
    const wanted = services.flatMap(({ acknowledged }) => acknowledged)
    expect(ids.sort()).toEqual(wanted.sort())
  }

  test('moving the backup to another database, while the service runs', async () => {
    const runbook = await Runbook.open('Moving to another database', cli)
    const replacement = await engine.create(cli.cwd)
    const OLD = { EVERTHREAD_BACKUP_URL: backup.url }
    const NEW = { EVERTHREAD_BACKUP_URL: replacement.url }
    const first = await serve(backup)
    await first.saves(50)
    await runbook.step('everthread reconcile')
    for (let i = 0; i < 2; i++) {
      await runbook.step('everthread restore --from primary --to backup', { env: NEW })
    }
    const second = await serve(replacement)
    await second.saves(20)
    await first.stop()
    await second.saves(20)
    await untilReady(runbook, NEW)
    await runbook.step('everthread restore --from backup --to primary', { env: OLD })
    await runbook.step('everthread reconcile', { env: NEW })
    await runbook.step('everthread verify --older-than 10', { env: NEW })
    await second.stop()
    await expectAll(primary, [first, second])
    await expectAll(replacement, [first, second])
  })

  test('moving the primary, with the words exchanged', async () => {
    const runbook = await Runbook.open('Moving to another database', cli)
    const replacement = await engine.create(cli.cwd)
    const OLD = { EVERTHREAD_PRIMARY_URL: primary.url }
    const NEW = { EVERTHREAD_PRIMARY_URL: replacement.url }
    const first = await serve(backup)
    await first.saves(50)
    await runbook.step('everthread reconcile')
    for (let i = 0; i < 2; i++) {
      await runbook.step('everthread restore --from backup --to primary', { env: NEW })
    }
    const second = await serve(backup, replacement)
    await second.saves(20)
    await first.stop()
    await second.saves(20)
    await untilReady(runbook, NEW)
    await runbook.step('everthread restore --from primary --to backup', { env: OLD })
    await runbook.step('everthread reconcile', { env: NEW })
    await runbook.step('everthread verify --older-than 10', { env: NEW })
    await second.stop()
    await expectAll(replacement, [first, second])
    await expectAll(backup, [first, second])
  })

  test.each(['running', 'stopped'])('a lost primary, with the service %s', async (state) => {
    const runbook = await Runbook.open('A database was lost', cli)
    const service = await serve(backup)
    await service.saves(50)
    if (state === 'stopped') await service.stop()
    await primary.lose()
    if (state === 'stopped') {
      await runbook.step('everthread restore --from backup --to primary')
    } else {
      const isTrusted = (): boolean => service.history.status().trusted
      await expect.poll(isTrusted, { timeout: 40_000 }).toBe(false)
      await expect.poll(isTrusted, { timeout: 40_000 }).toBe(true)
      await service.stop()
    }
    await runbook.step('everthread verify')
    await expectAll(primary, [service])
  })

  test('a primary restored from a dump gets what is newer, and nothing that was cleared', async () => {
    const runbook = await Runbook.open('A database was restored or replaced', cli)
    await cli.save([conversationOf('c0', 5), conversationOf('cleared', 5)])
    const dump = join(cli.cwd, 'dump')
    const PATH = `${process.env['PATH']}:${postgresBinaries()}`
    const run = async (program: string, args: readonly string[]): Promise<unknown> =>
      await promisify(execFile)(program, args, { env: { PATH } })
    await run('pg_dump', ['-Fc', '-f', dump, primary.url])
    await cli.save([conversationOf('later', 5)])
    expect((await cli.run(['clear', 'cleared', '--yes', '--wait'])).code).toBe(0)
    await primary.lose()
    await run('pg_restore', ['-d', primary.url, dump])
    await runbook.step('everthread reconcile')
    expect((await cli.run(['verify'])).code).toBe(0)
    const { stdout } = await cli.run(['export', '--from', 'primary'])
    expect(stdout.match(/"conversationId":"\w+"/g)).toEqual([
      '"conversationId":"c0"',
      '"conversationId":"later"',
    ])
  })
})

/** Until `status` of the new place says that it may be relied on, and that nothing is on its way. */
async function untilReady(runbook: Runbook, env: Readonly<Record<string, string>>): Promise<void> {
  const ready = async (): Promise<boolean> => {
    const { stdout } = await runbook.step('everthread status --json', { env })
    const { trusted, places } = JSON.parse(stdout) as StoreStatus
    return trusted && places.primary.pending + places.backup.pending === 0
  }
  await expect.poll(ready, { timeout: 40_000 }).toBe(true)
}

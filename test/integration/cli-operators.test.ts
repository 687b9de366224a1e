// Goal: everything that operators do works from the documented command line, on each pair of engines that
// people use, and its exit codes are those of docs/command-line.md.
// Method: the compiled package is run as a child, on private servers; a database is taken away, emptied
// or damaged from outside. The bucket is one of our own test server, or that of S3_TEST_URL.
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { conversationKey } from '../../src/chat/keys.ts'
import type { EraseReceipt, StoreStatus } from '../../src/index.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import {
  postgresEngine,
  redisEngine,
  s3Engine,
  sqliteEngine,
  type OperatedPlace,
  type PlaceEngine,
} from '../support/operated-place.ts'
import { hasPostgres } from '../support/postgres-binaries.ts'
import { hasRedis } from '../support/redis-server.ts'
import { cliTests, conversationOf } from './cli-tests.ts'

const cli = cliTests()
const KEY = conversationKey('', 'a')
/** Long enough for a bucket to keep values in objects of their own, which can be damaged. */
const LONG = 'z'.repeat(8_000)

const PAIRS: readonly (readonly [PlaceEngine, PlaceEngine])[] = !hasPostgres()
  ? []
  : [
      [postgresEngine(), sqliteEngine()],
      ...(hasRedis ? [[redisEngine(), postgresEngine()] as const] : []),
      [postgresEngine(), s3Engine(process.env['S3_TEST_URL'])],
    ]

describe.each(PAIRS.map((pair) => [`${pair[0].name} and ${pair[1].name}`, ...pair] as const))(
  '%s',
  (_name, first, second) => {
    let primary: OperatedPlace
    let backup: OperatedPlace

    beforeAll(async () => {
      await first.start()
      await second.start()
    })
    afterAll(async () => {
      await first.stop()
      await second.stop()
    })
    beforeEach(async () => {
      primary = await first.create(cli.cwd)
      backup = await second.create(cli.cwd)
      cli.env = {
        EVERTHREAD_PRIMARY_URL: primary.url,
        EVERTHREAD_BACKUP_URL: backup.url,
        ...primary.env,
        ...backup.env,
      }
    })

    /** Whatever the test does, the next one finds the server as it should be. */
    async function out(place: OperatedPlace): Promise<() => Promise<void>> {
      let isOut = true
      const back = async (): Promise<void> => {
        if (isOut) await place.back()
        isOut = false
      }
      await place.out()
      onTestFinished(back)
      return back
    }

    /** Rows that one database alone has, as if the other had lost them. */
    async function appendTo(place: OperatedPlace, count: number, from = 0): Promise<void> {
      const backend = await place.open()
      const rows = Array.from({ length: count }, (_, i) => {
        return append(KEY, stampAt(from + i), { role: 'user', content: `only here ${from + i}` })
      })
      await backend.apply(rows)
      await backend.disconnect()
    }

    async function exported(from: string): Promise<string> {
      const { code, stdout } = await cli.run(['export', '--from', from])
      expect(code).toBe(0)
      return stdout
    }

    async function expectEqual(): Promise<void> {
      const none = { missingInPrimary: 0, missingInBackup: 0, differing: 0, damaged: 0 }
      expect(await cli.json('verify', '--deep')).toMatchObject([0, none])
    }

    test('migrate, import, list, show and export', async () => {
      const due = await cli.run(['migrate', '--dry-run'])
      const hasSteps = [first, second].some(
        ({ name }) => name === 'postgresql' || name === 'sqlite',
      )
      expect(due.code).toBe(hasSteps ? 3 : 0)
      expect((await cli.run(['migrate'])).code).toBe(0)
      expect((await cli.run(['migrate', '--dry-run'])).code).toBe(0)
      expect((await cli.run(['migrate', '--show'])).code).toBe(0)
      const all = [conversationOf('a', 30), conversationOf('b 🙂', 3, 'nul \u0000')]
      const text = all.map((one) => `${JSON.stringify(one)}\n`).join('')
      await writeFile(join(cli.cwd, 'in.jsonl'), text)
      const imported = await cli.json('import', 'in.jsonl')
      expect(imported).toMatchObject([0, { messages: { new: 33, singleCopy: 0 } }])
      expect(await cli.json('import', 'in.jsonl')).toMatchObject([
        0,
        { messages: { new: 0, alreadyThere: 33 } },
      ])
      // Both were imported at once: which of them is the later one is not said.
      const [listed, list] = await cli.json('list')
      const { conversations } = list as { conversations: { conversationId: string }[] }
      const ids = conversations.map(({ conversationId }) => conversationId).sort()
      expect([listed, ids]).toEqual([0, ['a', 'b 🙂']])
      const page = await cli.json('show', 'a', '--limit', '2')
      expect(page).toMatchObject([0, { complete: true, messages: [{ id: 'import-28' }, {}] }])
      expect((await cli.run(['show', 'nobody'])).code).toBe(1)
      const whole = await cli.run(['export'])
      expect([whole.code, whole.stdout]).toEqual([0, text])
      expect(await exported('primary')).toBe(whole.stdout)
      expect(await exported('backup')).toBe(whole.stdout)
    })

    test('status tells what is well and what is not, once and again', async () => {
      await cli.save([conversationOf('a', 3)])
      expect(await cli.json('status')).toMatchObject([
        0,
        {
          overall: 'ok',
          places: {
            primary: { type: first.name, connected: true, healthy: true, pending: 0 },
            backup: { type: second.name.split(' ')[0], connected: true, pending: 0 },
          },
          wal: { type: 'file', state: 'open', durable: true },
          erasing: 0,
        },
      ])
      const text = await cli.run(['status'])
      expect([text.code, text.stderr]).toEqual([0, ''])
      expect(text.stdout).toMatch(/^overall +ok\n/)
      const watch = ['status', '--watch', '--interval', '0.1', '--json']
      const looks = await cli.watch(watch, 2, 'SIGTERM')
      expect(looks.code).toBe(143)
      expect((JSON.parse(looks.lines[1]!) as StoreStatus).overall).toBe('ok')
      const back = await out(backup)
      const ill = await cli.run(['status'])
      expect(ill.code).toBe(3)
      expect(ill.stdout).toMatch(/^overall +degraded\n/)
      expect(ill.stdout).toMatch(/\n! backup: /)
      const again = await out(primary)
      // With a log alone the store is still one; without any place there is none to tell about.
      expect((await cli.run(['status'])).code).toBe(3)
      const dead = await cli.run(['status', '--wal', 'memory:'])
      expect([dead.code, dead.stdout]).toEqual([4, ''])
      expect(dead.stderr).toMatch(/no durable place/)
      await again()
      await back()
      expect((await cli.run(['status'])).code).toBe(0)
    })

    test('differences either way are found, told by a dry run, and copied once', async () => {
      await cli.save([conversationOf('b', 40)])
      expect(await cli.json('verify')).toMatchObject([0, { compared: 40, rowsRead: 0 }])
      await appendTo(primary, 3)
      await appendTo(backup, 2, 10)
      const differences = { missingInPrimary: 2, missingInBackup: 3, copied: 0 }
      expect(await cli.json('verify')).toMatchObject([3, differences])
      const dry = await cli.json('reconcile', '--dry-run')
      expect(dry).toMatchObject([3, { dryRun: true, ...differences }])
      expect(await cli.json('verify')).toMatchObject([3, differences])
      expect(await cli.json('reconcile')).toMatchObject([0, { ...differences, copied: 5 }])
      expect(await cli.json('reconcile')).toMatchObject([0, { copied: 0, rowsRead: 0 }])
      await expectEqual()
      expect(await exported('primary')).toBe(await exported('backup'))
      const back = await out(backup)
      expect((await cli.run(['verify'])).code).toBe(4)
      expect((await cli.run(['reconcile'])).code).toBe(4)
      await back()
    })

    test.each(['primary', 'backup'])('damage in the %s is named and mended', async (name) => {
      const place = name === 'primary' ? primary : backup
      await cli.save([conversationOf('a', 12, LONG)])
      const before = await exported('primary')
      await place.damage({ key: KEY, part: 'appended', id: 'import-2' })
      const [found, report] = await cli.json('verify', '--deep')
      expect(found).toBe(3)
      const { damaged, damagedRows } = report as { damaged: number; damagedRows: object[] }
      expect(damaged).toBeGreaterThan(0)
      expect(damagedRows[0]).toMatchObject({ place: name, key: KEY, repaired: false })
      if (place.holding === undefined) expect(damagedRows).toMatchObject([{ id: 'import-2' }])
      expect(await cli.json('repair', '--dry-run')).toMatchObject([3, { damaged, repaired: 0 }])
      expect(await cli.json('repair')).toMatchObject([0, { damaged, repaired: damaged }])
      await expectEqual()
      expect(await exported(name)).toBe(before)
    })

    test.each(['primary', 'backup'])(
      'a %s that was lost is filled from the other',
      async (lost) => {
        await cli.save([conversationOf('a', 120), conversationOf('cleared', 2)])
        expect((await cli.run(['clear', 'cleared', '--yes', '--wait'])).code).toBe(0)
        const before = await exported('primary')
        const place = lost === 'primary' ? primary : backup
        const kept = lost === 'primary' ? 'backup' : 'primary'
        await place.lose()
        const dry = await cli.run(['restore', '--from', kept, '--to', lost, '--dry-run'])
        // A file that is not there is not made by looking.
        expect(dry.code).toBe(place.url.startsWith('sqlite:') ? 4 : 3)
        const [code, report] = await cli.json('restore', '--from', kept, '--to', lost)
        expect(code).toBe(0)
        expect((report as { copied: number }).copied).toBeGreaterThanOrEqual(120)
        await expectEqual()
        expect(await exported(lost)).toBe(before)
        expect(await cli.json('status')).toMatchObject([0, { trusted: true }])
      },
    )

    test('a clear while the backup is away is done there when it is back', async () => {
      await cli.save([conversationOf('a', 5), conversationOf('b', 5)])
      const back = await out(backup)
      const cleared = await cli.run(['clear', 'a', '--yes', '--json'])
      expect(cleared.code).toBe(0)
      expect(JSON.parse(cleared.stdout)).toMatchObject({ clear: ['primary'] })
      expect(cleared.stderr).toMatch(/1 changes wait for the backup, in the log/)
      await back()
      expect(await exported('backup')).toMatch(/of a"/)
      expect((await cli.run(['status'])).code).toBe(0)
      for (const name of ['primary', 'backup']) {
        expect(await exported(name)).not.toMatch(/of a"/)
        expect(await exported(name)).toMatch(/of b"/)
      }
      await expectEqual()
    })

    test('an erase signs off place by place, also one that was out', async () => {
      await cli.save([conversationOf('doomed', 6, 'canary'), conversationOf('kept', 6)])
      const dry = await cli.json('erase', 'doomed', '--dry-run')
      expect(dry).toEqual([0, { dryRun: true, conversations: 1, messages: 6 }])
      expect((await cli.run(['erase', 'doomed'])).code).toBe(2)
      const back = await out(backup)
      const cut = await cli.run(['erase', 'doomed', '--yes', '--wait', '1', '--json'])
      expect(cut.code).toBe(3)
      expect(JSON.parse(cut.stdout)).toMatchObject({
        complete: false,
        places: {
          cache: { state: 'erased' },
          wal: { state: 'erased' },
          primary: { state: 'erased' },
          backup: { state: 'pending' },
        },
      })
      const waiting = await cli.run(['erase', '--list'])
      expect(waiting.code).toBe(3)
      expect(waiting.stdout).toMatch(/pending: backup/)
      await back()
      const open = async (): Promise<number | null> => (await cli.run(['erase', '--list'])).code
      await expect.poll(open, { timeout: 40_000 }).toBe(0)
      const [, receipts] = await cli.json('erase', '--list')
      expect(receipts).toMatchObject([{ complete: true }])
      expect((await backup.holding?.('canary')) ?? []).toEqual([])
      expect((await cli.run(['list'])).stdout).toMatch(/ kept\n/)
      expect((await cli.run(['show', 'doomed'])).code).toBe(1)
    })

    test('a tenant is erased, and no other', async () => {
      for (const tenant of ['gone', 'stays']) {
        await cli.save(
          [conversationOf('c1', 3, `of ${tenant}`), conversationOf('c2', 3)],
          ['--tenant', tenant],
        )
      }
      const dry = await cli.json('erase', '--tenant', 'gone', '--dry-run')
      expect(dry).toEqual([0, { dryRun: true, conversations: 2, messages: 6 }])
      const [code, receipt] = await cli.json('erase', '--tenant', 'gone', '--yes')
      expect(code).toBe(0)
      const { places } = receipt as EraseReceipt
      for (const name of ['primary', 'backup', 'wal', 'cache'] as const) {
        expect(places[name]).toMatchObject({ state: 'erased', pending: [] })
      }
      for (const [tenant, count] of [
        ['gone', 0],
        ['stays', 2],
      ] as const) {
        const [, page] = await cli.json('list', '--tenant', tenant)
        expect((page as { conversations: unknown[] }).conversations).toHaveLength(count)
      }
      expect((await backup.holding?.('of gone')) ?? []).toEqual([])
    })

    test('a log is looked into, verified and replayed into the database that lacks it', async () => {
      expect((await cli.run(['migrate'])).code).toBe(0)
      const back = await out(backup)
      await cli.save([conversationOf('a', 30)])
      const [inspected, logs] = await cli.json('wal', 'inspect', 'data/wal')
      expect(inspected).toBe(0)
      expect(logs).toMatchObject([{ owner: 'free', pending: { primary: 0 }, damage: [] }])
      expect((logs as { pending: { backup: number } }[])[0]!.pending.backup).toBeGreaterThan(0)
      expect(await cli.json('wal', 'verify', 'data/wal')).toMatchObject([0, [{ damage: [] }]])
      expect(await cli.json('wal', 'dead-letters', 'data/wal')).toEqual([0, []])
      const replay = ['wal', 'replay', 'data/wal', '--to', 'backup']
      expect((await cli.run(replay)).code).toBe(4)
      await back()
      const counted = await cli.json(...replay, '--dry-run')
      expect(counted).toMatchObject([0, { dryRun: true, rejected: [], damage: [] }])
      for (let round = 0; round < 2; round++) {
        expect(await cli.json(...replay)).toMatchObject([0, { dryRun: false, rejected: [] }])
        expect(await exported('backup')).toBe(await exported('primary'))
      }
      expect(await readdir(join(cli.cwd, 'data', 'wal'))).not.toEqual([])
    })
  },
)

// Goal: what was acknowledged survives the process, however it ends, and a save that is repeated is
// stored once: after a restart, after a timeout, and from two processes.
// Method: child processes run the compiled package on PostgreSQL, SQLite and a file log.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StorageError, type ChatHistory } from '../../src/index.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { BuiltCli } from '../integration/cli-process.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeServers } from './support/describe-servers.ts'
import { Ledger } from './support/ledger.ts'
import { placeContents } from './support/place-contents.ts'
import { storeRig } from './support/store-rig.ts'
import { StoreChild } from './support/store-child.ts'

const CLEAN = { failedSaves: 0, failedReads: 0, lost: 0, doubled: 0, reordered: 0 }
/** A hedged save may be decided by the backup too: then an id has two positions for a while. */
const PRIMARY_DECIDES = { type: 'idempotent', config: { hedge: { enabled: false } } } as const
const ROUNDS = Number(process.env['EVERTHREAD_KILL_ROUNDS'] ?? 10)

describeServers('a process that ends', () => {
  let server: PostgresServer
  const built = new BuiltCli()
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await server.stop()
  })

  test(`by kill -9, ${ROUNDS} times in the middle of its saves, loses none that was acknowledged`, async () => {
    const { proxy, options, open, places } = await storeRig(server)
    const ledger = new Ledger()
    for (let round = 0; round < ROUNDS; round++) {
      // Every other round the primary is away, so that entries are pending when it dies.
      const away = round % 2 === 1
      if (away) {
        await proxy.set({ kind: 'refuse' })
        proxy.killAll()
      }
      const child = StoreChild.start(built, options, `round ${round}`)
      // At another moment of its life each time: also while it replays what the last one left.
      await child.acknowledged(40 + 37 * (round % 5))
      await child.kill()
      for (const { conversation, receipt, content } of child.saves) {
        ledger.acknowledged(conversation, receipt, content)
      }
      if (away) await proxy.set({ kind: 'pass' })
    }
    const history = await open()
    await history.flush()
    for (const conversation of ['a', 'b']) await ledger.read(history, conversation)
    await ledger.hold(await places())
    // What was on its way, and acknowledged to nobody, may be in one database alone until then.
    await history.reconcile()
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
    expect(history.status().places).toMatchObject({
      primary: { pending: 0 },
      backup: { pending: 0 },
    })
    // The orphaned hints of the dead are gone sooner or later: then reads are complete again.
    await expect
      .poll(async () => (await history.getHistory('a')).complete, { timeout: 30_000 })
      .toBe(true)
  }, 600_000)

  test('in order, with entries that a database could not take, keeps them for the next start', async () => {
    const { directory, proxy, options, open, places } = await storeRig(server)
    const ledger = new Ledger()
    await proxy.set({ kind: 'refuse' })
    const first = await open({ drainTimeout: 200 })
    for (let i = 0; i < 50; i++) await ledger.save(first, 'a', `${i}`)
    await first.close()
    expect(await readdir(join(directory, 'wal'))).not.toEqual([])
    await proxy.set({ kind: 'pass' })
    const second = await open()
    await ledger.read(second, 'a')
    await second.flush()
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
    expect(options.wal).toContain(directory)
  })

  test('in order drains: both databases have everything, and nothing is pending at the next start', async () => {
    const { open, places } = await storeRig(server)
    const ledger = new Ledger()
    const first = await open()
    await Promise.all(
      Array.from({ length: 300 }, (_, i) => ledger.save(first, `c${i % 3}`, `${i}`)),
    )
    await first.close()
    await ledger.compare(await places())
    const second = await open()
    expect(second.status().places).toMatchObject({
      primary: { pending: 0 },
      backup: { pending: 0 },
    })
    expect(ledger.examples).toEqual([])
  })

  test('a save that timed out, repeated with its id here, elsewhere and after a restart, is one', async () => {
    const { proxy, open, places } = await storeRig(server)
    const message = { id: 'mine', role: 'user', content: 'once' } as const
    const config = { timeout: 150, maxRetries: 0, minCopies: 3, hedge: { enabled: false } }
    const other = await open({ write: PRIMARY_DECIDES })
    const first = await open({ write: { type: 'idempotent', config } })
    await proxy.set({ kind: 'drop', direction: 'down' })
    // The primary has it, and nobody knows: three copies cannot be had.
    await expect(first.saveMessage('c', message)).rejects.toMatchObject({ effect: 'unknown' })
    await proxy.set({ kind: 'pass' })
    proxy.killAll()
    // Connections that were cut are noticed by whoever uses them next, and the circuit opens: with the
    // primary passed over, a backup that has yet to get the first save would take the repeat for new.
    const hasPrimary = async (history: ChatHistory): Promise<boolean> => {
      const saved = history.saveMessage('other', { role: 'user', content: 'again?' })
      return await saved.then(
        ({ copies }) => copies.includes('primary') && history.status().places.primary.healthy,
        () => false,
      )
    }
    for (const history of [first, other]) {
      await expect.poll(() => hasPrimary(history), { timeout: 20_000 }).toBe(true)
    }
    const receipts = await Promise.all([
      other.saveMessage('c', message),
      first.saveMessage('c', message).catch(() => undefined),
      other.saveMessage('c', message),
    ])
    await first.close()
    const restarted = await open({ write: PRIMARY_DECIDES })
    receipts.push(await restarted.saveMessage('c', message))
    await restarted.flush()
    await other.flush()
    for (const place of Object.values(await places())) {
      expect((await placeContents(place, 'c')).map(({ id }) => id)).toEqual(['mine'])
    }
    const positions = new Set(receipts.flatMap((receipt) => receipt?.position ?? []))
    expect(positions.size).toBe(1)
    await expect(
      restarted.saveMessage('c', { ...message, content: 'other' }),
    ).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  })

  test('two processes that save the same ids at the same time store each once', async () => {
    const { open, places } = await storeRig(server)
    const write = PRIMARY_DECIDES
    const [one, other] = [await open({ write }), await open({ write })]
    const ids = Array.from({ length: 100 }, (_, i) => `id ${i}`)
    const saves = [one, other].flatMap((history) =>
      ids.map((id) => history.saveMessage('c', { id, role: 'user', content: id })),
    )
    const receipts = await Promise.all(saves)
    await one.flush()
    await other.flush()
    for (const place of Object.values(await places())) {
      const items = await placeContents(place, 'c')
      expect(items.map(({ id }) => id).sort()).toEqual(ids.toSorted())
      const position = new Map(items.map((item) => [item.id, item.position]))
      for (const receipt of receipts) expect(position.get(receipt.id)).toBe(receipt.position)
    }
  })

  test('an entry that the backup refuses for good is set aside, shown, and holds nothing up', async () => {
    const { directory, open, places } = await storeRig(server)
    const backup = new PoisonedBackend({ path: join(directory, 'backup.db') })
    const history = await open({ backup })
    const ledger = new Ledger()
    for (const content of ['good 1', 'poison', 'good 2']) await ledger.save(history, 'c', content)
    await history.flush()
    expect(history.status()).toMatchObject({
      overall: 'degraded',
      places: { backup: { quarantined: 1 } },
    })
    await ledger.read(history, 'c')
    const { primary, backup: file } = await places()
    expect(await placeContents(primary, 'c')).toHaveLength(3)
    expect(await placeContents(file, 'c')).toHaveLength(2)
    await history.close()
    // It is still known, and still read, after a restart; by then the backup may have learnt it.
    const restarted = await open()
    await ledger.read(restarted, 'c')
    expect(restarted.status().places.backup.quarantined).toBe(1)
    expect(ledger.examples).toEqual([])
  })
})

class PoisonedBackend extends SqliteBackend {
  override async apply(
    ...call: Parameters<SqliteBackend['apply']>
  ): ReturnType<SqliteBackend['apply']> {
    if (call[0].some((operation) => 'value' in operation && operation.value.includes('poison'))) {
      throw new StorageError('REJECTED', 'this value is never taken')
    }
    return await super.apply(...call)
  }
}

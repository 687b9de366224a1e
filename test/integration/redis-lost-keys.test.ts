import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { RedisDatabaseBackend } from '../../src/backend/redis/index.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { byPosition } from '../../src/core/merge.ts'
import type { Operation } from '../../src/core/operation.ts'
import type { StoreContext } from '../../src/strategy/context.ts'
import { PrimaryFirstReadStrategy } from '../../src/strategy/read/primary-first.ts'
import type {
  CountRead,
  ItemsRead,
  KeysRead,
  LatestRead,
  ReadMark,
  RegisterRead,
} from '../../src/strategy/read/read-strategy.ts'
import { append, clear, edit, remove, set, stampAt } from '../../src/testing/backend/operations.ts'
import { reconcilerRig, type ReconcilerRig } from '../support/reconciler-rig.ts'
import { redisCommand } from '../support/redis-command.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

const at = (second: number): ReturnType<typeof stampAt> => stampAt(second * 1_000)

/** Every kind of thing that a database can hold. */
const OPERATIONS: readonly Operation[] = [
  ...Array.from({ length: 12 }, (_, i) => append('chat/0', at(10 + i), `m${i}`)),
  append('chat/1', at(30), 'one', 'id-1'),
  append('chat/1', at(31), 'two', 'id-2'),
  append('chat/1', at(32), 'three', 'id-3'),
  append('chat/1', at(33), 'four', 'id-4'),
  edit('chat/1', 'id-1', at(30), at(40), 'ONE'),
  remove('chat/1', 'id-2', at(31), at(41)),
  append('chat/2', at(50), 'cleared'),
  clear('chat/2', at(51)),
  append('chat/2', at(52), 'after'),
  append('chat/3', at(60), 'cleared'),
  clear('chat/3', at(61)),
  set('value/0', at(70), { a: 1 }),
  set('value/1', at(71), { b: 2 }),
]
const KEYS = ['chat/0', 'chat/1', 'chat/2', 'chat/3', 'value/0', 'value/1']
const IDS = ['id-1', 'id-2', 'id-3', 'id-4', at(10), at(15), at(21), at(52)]

/** Each of the server's keys, by the end of its name. */
const NAMES =
  'h:chat/0 h:chat/1 h:chat/2 h:chat/3 h:value/0 h:value/1 z:chat/0 z:chat/1 z:chat/2 meta listed latest heads time hints cursors leases'.split(
    ' ',
  )
/** Those of which a part can be lost. */
const TRUNCATED = NAMES.filter((name) => !/chat.[23]|hints|cursors/.test(name))

/** What only the database itself knows. */
const NOTES = ['hints', 'cursors', 'leases']

interface Setup extends ReconcilerRig {
  readonly primary: RedisDatabaseBackend
  readonly backup: MemoryBackend
  readonly name: (end: string) => string
}

describeRedis('a Redis database that has lost one of its keys', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'no' })
  })
  afterAll(async () => await server.stop())

  const redis = async (...args: string[]): Promise<unknown> =>
    await redisCommand(server.url, ...args)

  async function setup(): Promise<Setup> {
    const keyPrefix = `test-${randomBytes(6).toString('hex')}:`
    const primary = new RedisDatabaseBackend({ url: server.url, keyPrefix })
    const backup = new MemoryBackend()
    await Promise.all([primary.connect(), backup.connect()])
    onTestFinished(async () => await primary.disconnect())
    await Promise.all([primary.apply(OPERATIONS), backup.apply(OPERATIONS)])
    await primary.apply([], { hint: 'w1', cursor: { writer: 'w1', lsn: 7 } })
    await primary.lease({ name: 'work', holder: 'h', ttlMs: 60_000 })
    const rig = reconcilerRig(primary, backup)
    await rig.reconciler.reconcile()
    return { primary, backup, name: (end) => `${keyPrefix}{0}:${end}`, ...rig }
  }

  /** Removes every other member. */
  async function truncate(name: string): Promise<void> {
    const isSet = (await redis('TYPE', name)) === 'zset'
    const list = isSet ? redis('ZRANGE', name, '0', '-1') : redis('HKEYS', name)
    const half = ((await list) as string[]).filter((_, i) => i % 2 === 0)
    await redis(isSet ? 'ZREM' : 'HDEL', name, ...half)
  }

  test('the kinds of keys of this test are all that there are', async () => {
    const { name } = await setup()
    const found = (await redis('KEYS', `${name('')}*`)) as string[]
    expect(found.sort()).toEqual(NAMES.map(name).sort())
  })

  test('while nothing is lost, a read is right and complete', async () => {
    const { context, primary, backup } = await setup()
    await probe(context)
    expect(await expected(primary)).toEqual(await expected(backup))
    // A read that is slow is answered by the backup, which does not know.
    const isComplete = async (): Promise<boolean> =>
      (await readAll(context)).every(({ complete }) => complete)
    await expect.poll(isComplete, { timeout: 20_000 }).toBe(true)
  })

  const losses = [
    ...NAMES.map((end) => ({ end, how: 'is gone' })),
    ...TRUNCATED.map((end) => ({ end, how: 'has lost half' })),
  ].map((loss, i) => ({
    ...loss,
    pass: i % 2 === 0 ? ('reconcile' as const) : ('repair' as const),
  }))

  // Goal: what is gone is never taken for what was never there, and comes back from the other database.
  test.each(losses)(
    'when $end $how no read is less than it says, and $pass mends it',
    async ({ end, how, pass }) => {
      const { context, reconciler, primary, backup, name } = await setup()
      const whole = await expected(backup)
      await probe(context)
      if (how === 'is gone') await redis('DEL', name(end))
      else await truncate(name(end))
      await probe(context)
      expect(await wrongReads(context, whole)).toEqual([])

      const found = await reconciler.verify({ deep: true })
      if (NOTES.includes(end)) {
        // Nobody has these twice: everything is owed and compared again instead.
        expect(context.monitor.needsReconcile()).toBe(true)
      } else {
        expect(found.damaged).toBeGreaterThan(0)
        expect(found.damagedRows.every(({ place }) => place === 'primary')).toBe(true)
        expect(found.damagedRows.some((row) => row.name?.includes('{0}:'))).toBe(true)
      }
      await reconciler[NOTES.includes(end) ? 'reconcile' : pass]()

      const after = await reconciler.verify({ deep: true })
      expect(after).toMatchObject({ damaged: 0, differing: 0, rejected: 0 })
      expect(after).toMatchObject({ missingInPrimary: 0, missingInBackup: 0 })
      await probe(context)
      expect(context.monitor.isTrusted()).toBe(true)
      expect(await expected(primary)).toEqual(whole)
      expect(await primary.digest(WHOLE_RANGE, 5)).toEqual(await backup.digest(WHOLE_RANGE, 5))
      const left = (await redis('KEYS', `${name('')}*`)) as string[]
      const wanted = NAMES.filter(
        (kind) => kind !== 'leases' && !(NOTES.includes(kind) && kind === end),
      )
      expect(left.filter((key) => key !== name('leases')).sort()).toEqual(wanted.map(name).sort())
    },
  )
})

/** As the monitor of a store does each second. */
async function probe({ monitor }: StoreContext): Promise<void> {
  await monitor.probe('primary').catch(() => undefined)
  await monitor.probe('backup')
}

type Answer = ReadMark &
  Partial<Omit<ItemsRead & RegisterRead & CountRead, 'complete'>> & {
    readonly keys?: KeysRead['keys'] | LatestRead['keys']
  }

interface Read {
  readonly what: string
  readonly complete: boolean
  readonly answer: unknown
}

/** All reads through a store; one that rejects is none. */
async function readAll(context: StoreContext): Promise<readonly Read[]> {
  const strategy = new PrimaryFirstReadStrategy()
  const reads: Read[] = []
  const add = async (what: string, read: () => Promise<Answer>): Promise<void> => {
    // A list of hints speaks for two seconds, whatever else this machine has to do.
    if (!context.monitor.isPrimaryCurrent()) await probe(context)
    const { complete, items = [], done, register, count, keys } = await read()
    const sorted = what.startsWith('ids') ? [...items].sort(byPosition) : items
    reads.push({ what, complete, answer: { items: sorted, done, register, count, keys } })
  }
  for (const key of KEYS) {
    for (const order of ['newest', 'oldest'] as const) {
      await add(`${order} of ${key}`, () => strategy.readItems(context, { key, limit: 5, order }))
    }
    await add(`ids of ${key}`, () => strategy.readItemsById(context, key, IDS))
    await add(`value of ${key}`, () => strategy.readRegister(context, key))
    await add(`count of ${key}`, () => strategy.countItems(context, key))
  }
  await add('keys', () => strategy.listKeys(context, { prefix: '', limit: 10 }))
  await add('keys of chats', () => strategy.listKeys(context, { prefix: 'chat/', limit: 10 }))
  await add('latest', () => strategy.listLatest(context, { prefix: '', limit: 10 }))
  await add('latest of chats', () => strategy.listLatest(context, { prefix: 'chat/', limit: 10 }))
  return reads
}

/** Names of reads that differ from what there is, though the backup has all of it. */
async function wrongReads(
  context: StoreContext,
  wanted: ReadonlyMap<string, unknown>,
): Promise<readonly string[]> {
  return (await readAll(context))
    .filter(({ what, answer }) => !isDeepStrictEqual(answer, wanted.get(what)))
    .map(({ what, complete }) => `${what}${complete ? ', complete' : ''}`)
}

/** The same reads of a whole database alone. */
async function expected(whole: ReplicaBackend): Promise<ReadonlyMap<string, unknown>> {
  const { context, reconciler } = reconcilerRig(whole, whole)
  await reconciler.verify()
  const reads = await readAll(context)
  return new Map(reads.map(({ what, answer }) => [what, answer]))
}

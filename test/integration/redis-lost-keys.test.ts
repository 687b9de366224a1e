import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { RedisDatabaseBackend } from '../../src/backend/redis/index.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { append, edit } from '../../src/testing/backend/operations.ts'
import { reconcilerRig, type ReconcilerRig } from '../support/reconciler-rig.ts'
import { redisCommand } from '../support/redis-command.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { at, expected, OPERATIONS, probe, readAll, wrongReads } from '../support/whole-reads.ts'

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

  // Goal: nobody decides by what is missing: an id that was taken may not be taken again.
  test.each(['h:chat/1', 'heads'])(
    'without %s nothing is judged, and what is only merged is taken',
    async (end) => {
      const { primary, reconciler, name } = await setup()
      await redis('DEL', name(end))
      const again = append('chat/1', at(90), 'other', 'id-4')
      const [taken, refused] = await Promise.allSettled([
        primary.apply([append('chat/9', at(91), 'x')], { decide: true }),
        primary.apply([again], { decide: true, unique: true }),
      ])
      expect(taken).toMatchObject({ status: 'fulfilled' })
      expect(refused).toMatchObject({
        status: 'rejected',
        reason: { code: 'CORRUPT', effect: 'none', message: expect.stringContaining(name(end)) },
      })
      const edited = edit('chat/1', 'id-3', at(32), at(92), 'changed')
      await expect(primary.apply([edited], { decide: true })).rejects.toThrow(name(end))
      await primary.apply([append('chat/1', at(93), 'late', 'id-9')])
      await reconciler.reconcile()
      expect(await primary.getRange('chat/1', 0, 9)).toEqual(['ONE', 'three', 'four', 'late'])
      const { applied } = await primary.apply([again], { decide: true, unique: true })
      expect(applied).toMatchObject([{ outcome: 'conflict' }])
    },
  )

  // Goal: a group over several shards that was acknowledged is whole in the end, and no key stays held.
  test.each(['groups', 'intents', 'locks'])(
    'when %s of all shards are gone in the middle of a group, it comes back whole',
    async (part) => {
      const keyPrefix = `test-${randomBytes(6).toString('hex')}:`
      const options = { url: server.url, keyPrefix, shards: 4 }
      const env = nodeEnv()
      const hit = (point: string): void => {
        if (point === 'redis.groupDecided') throw new Error('killed')
      }
      const dying = new RedisDatabaseBackend(options, { ...env, failpoints: { hit } })
      const primary = new RedisDatabaseBackend(options)
      const backup = new MemoryBackend()
      await Promise.all([primary.connect(), backup.connect(), dying.connect()])
      onTestFinished(async () => {
        await Promise.all([primary.disconnect(), dying.disconnect()])
      })
      const { context, reconciler } = reconcilerRig(primary, backup)
      await reconciler.reconcile()
      await probe(context)
      const group = ['a', 'b', 'c', 'd', 'e'].map((key, i) => append(key, at(i + 1), key))
      await expect(dying.apply(group, { decide: true })).rejects.toThrow('killed')
      await backup.apply(group)
      for (let shard = 0; shard < 4; shard++) await redis('DEL', `${keyPrefix}{${shard}}:${part}`)
      await probe(context)
      expect(context.monitor.needsReconcile()).toBe(true)
      await reconciler.reconcile()
      const listed = await Promise.all(group.map(({ key }) => primary.getRange(key, 0, 9)))
      expect(listed).toEqual(group.map(({ key }) => [key]))
      const { applied } = await primary.apply([append('a', at(9), 'next')], { decide: true })
      expect(applied).toMatchObject([{ outcome: 'applied' }])
      expect(await reconciler.verify({ deep: true })).toMatchObject({ damaged: 0, differing: 0 })
    },
  )
})

// Goal: Keyv works on real servers, and when they are out it is told: no call does nothing and says nothing (keyv#1750), none hangs
// (keyv#1496), and the process goes on (keyv#1349). Method: Keyv's suite; servers that are killed.
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import Keyv from 'keyv'
import * as vitest from 'vitest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EverthreadKeyv } from '../../src/adapters/keyv.ts'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { open, optionsOf, ownRedis, startWorker } from '../support/adapter-rig.ts'
import { describePostgres, freshDatabase } from '../support/postgres-backend.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

/** Keyv's suite on a primary that `prepare` makes. */
function suite(prepare: () => Promise<string>, end?: () => Promise<void>): void {
  let history: ChatHistory
  beforeAll(async () => {
    const primary = await prepare()
    history = await openChatHistory({ primary, backup: 'memory:', wal: 'memory:' })
  })
  afterAll(async () => {
    await history.close()
    await end?.()
  })
  keyvTestSuite(vitest, Keyv, () => new EverthreadKeyv(history))
  keyvIteratorTests(vitest, Keyv, () => new EverthreadKeyv(history))
}

describePostgres('the suite of Keyv 5 on PostgreSQL', () => suite(freshDatabase))

describeRedis('the suite of Keyv 5 on Redis', () => {
  let server: RedisServer
  suite(
    async () => {
      server = await startRedis()
      return server.url
    },
    () => server.stop(),
  )
})

const OUTAGE = {
  code: expect.stringMatching(/^(?:UNAVAILABLE|TIMEOUT)$/),
  effect: expect.stringMatching(/^(?:none|unknown)$/),
}

describeRedis('while servers are killed', () => {
  test('the primary is out: the backup answers, and what is written is there afterwards', async () => {
    const server = await ownRedis()
    const history = await open(await optionsOf(server.url))
    const keyv = new Keyv({ store: new EverthreadKeyv(history), throwOnErrors: true })
    await keyv.set('a', 1)
    await keyv.set('gone', 1, 1)
    await history.flush()
    await server.kill()
    expect(await keyv.get(['a', 'gone', 'none'])).toEqual([1, undefined, undefined])
    expect(await keyv.set('b', 2, 600_000)).toBe(true)
    expect([await keyv.has('b'), await keyv.delete('a'), await keyv.get('a')]).toEqual([
      true,
      true,
      undefined,
    ])
    await server.restart()
    await expect
      .poll(() =>
        history.flush().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
    expect(await keyv.get(['a', 'b'])).toEqual([undefined, 2])
    // Until nothing can be missing it says that there may be more.
    await expect.poll(() => keyv.clear().then(() => 'clear', String)).toBe('clear')
    expect(await keyv.get('b')).toBeUndefined()
  })

  test('a primary that hangs does not make a read hang', async () => {
    const server = await ownRedis()
    const history = await open(await optionsOf(server.url))
    const keyv = new Keyv({ store: new EverthreadKeyv(history), throwOnErrors: true })
    await keyv.set('a', 1)
    await history.flush()
    server.pause()
    expect(await keyv.get('a')).toBe(1)
    server.resume()
  })

  test('both are out: every call is an error that is told once', async () => {
    const [one, two] = [await ownRedis(), await ownRedis()]
    // The log alone is not enough.
    const write = { type: 'idempotent', config: { minCopies: 2 } } as const
    const history = await open({ ...(await optionsOf(one.url, two.url)), write })
    const quiet = new Keyv({ store: new EverthreadKeyv(history) })
    const loud = new Keyv({ store: new EverthreadKeyv(history), throwOnErrors: true })
    await loud.set('a', 1)
    const told: unknown[] = []
    quiet.on('error', (error) => told.push(error))
    await Promise.all([one.kill(), two.kill()])
    expect(await quiet.get('a')).toBeUndefined()
    expect(told).toMatchObject([OUTAGE])
    expect(await quiet.set('a', 2)).toBe(false)
    expect(told).toMatchObject([OUTAGE, OUTAGE])
    for (const call of [
      () => loud.get('a'),
      () => loud.getMany(['a']),
      () => loud.has('a'),
      () => loud.set('a', 2),
      () => loud.delete('a'),
      () => loud.clear(),
      () => loud.iterator!({}).next(),
    ]) {
      await expect(call()).rejects.toMatchObject(OUTAGE)
    }
  })

  test('a process without listeners goes on', async () => {
    const [one, two] = [await ownRedis(), await ownRedis()]
    const worker = startWorker('keyv-worker.ts', await optionsOf(one.url, two.url))
    expect(await worker.line()).toBe('true')
    await Promise.all([one.kill(), two.kill()])
    worker.write('go')
    // What is written is in the log on disk.
    expect(await worker.line()).toBe('undefined true')
    expect(await worker.ended()).toBe(0)
  })
})

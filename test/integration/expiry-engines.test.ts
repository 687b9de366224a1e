// Goal: what expires is left out, and removed, alike on every engine. Method: each of them as the primary with
// another one as the backup; values whose time is long past, which the next pass removes.
import { describe, expect, onTestFinished, test } from 'vitest'
import { openChatHistory } from '../../src/index.ts'
import { postgresUrl } from '../support/postgres-backend.ts'
import { replicaEngines } from '../support/replica-engines.ts'

const HOUR = 3_600_000
const ENGINES = replicaEngines(postgresUrl)
const PAIRS = ENGINES.map(
  (engine, i) => [engine.name, engine, ENGINES[(i + 1) % ENGINES.length]!] as const,
)

describe.each(PAIRS)('%s', (_name, primaryEngine, backupEngine) => {
  test.each([false, true])('encrypted: %s', async (isEncrypted) => {
    const [primary, backup] = [await primaryEngine.open(), await backupEngine.open()]
    const keys = `k1:${Buffer.alloc(32, 7).toString('base64')}`
    const history = await openChatHistory({
      primary,
      backup,
      wal: 'memory:',
      ...(isEncrypted && { encryption: { keys } }),
    })
    onTestFinished(async () => {
      await history.close()
      await Promise.all([primary.disconnect(), backup.disconnect()])
    })
    const { store } = history
    const past = Date.now() - 2 * HOUR
    await store.set('past', 1, { expiresAt: past })
    await store.set('future', 2, { expiresAt: Date.now() + HOUR })
    await store.set('stays', 3)
    await store.appendItems('list', [
      { id: 'a', value: 1, expiresAt: past },
      { id: 'b', value: 2 },
    ])
    await store.appendItems('gone', [{ value: 1, expiresAt: past }])
    const check = async (): Promise<void> => {
      const found = await store.mget(['past', 'future', 'stays'])
      expect({ ...found }).toEqual({ future: 2, stays: 3 })
      expect(await store.list('')).toEqual(['future', 'list', 'stays'])
      expect((await store.countItems('list')).count).toBe(1)
      expect(await store.getRange('list', 0, 9)).toEqual([2])
      expect(await store.exists('gone')).toBe(false)
      const { entries } = await store.entries({ prefix: '', limit: 9 })
      expect(entries).toEqual([
        { key: 'future', value: 2 },
        { key: 'stays', value: 3 },
      ])
    }
    await check()
    await store.flushWAL()
    expect(await store.removeExpired()).toEqual({ values: 1, items: 2, unfinished: 0, ran: true })
    await store.flushWAL()
    await check()
    for (const place of [primary, backup]) {
      expect((await place.readRegister('past')).register).toBeUndefined()
      expect((await place.countItems('list')).count).toBe(1)
      const { keys: left } = await place.listKeys({ prefix: '', limit: 99 })
      expect(left.filter((key) => key.includes('/of/'))).toEqual(['everthread/expires/of/future'])
    }
    expect(await history.verify({ deep: true })).toMatchObject({ differing: 0, damaged: 0 })
  })
})

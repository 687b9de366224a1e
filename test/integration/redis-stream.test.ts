import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { partitionOf } from '../../src/wal/redis-stream/layout.ts'
import type { ResolvedRedisStreamOptions } from '../../src/wal/redis-stream/options.ts'
import type { RedisStreamWal } from '../../src/wal/redis-stream/stream-wal.ts'
import { BehindInLog } from '../../src/wal/behind-in-log.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../src/core/places.ts'
import { append, clear, stampAt } from '../../src/testing/backend/operations.ts'
import { refuses } from '../../src/testing/wal/context.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { redisCommand } from '../support/redis-command.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix, redisStreamWal } from '../support/redis-stream-wal.ts'

const LEASE_MS = 200

let server: RedisServer
let writers = 0

/** Two keys that are in different partitions of eight. */
const KEY = 'chat:a'
const OTHER = Array.from({ length: 50 }, (_, i) => `chat:${i}`).find(
  (key) => partitionOf(key, 8) !== partitionOf(KEY, 8),
)!

interface Log {
  readonly keyPrefix: string
  open(options?: Partial<ResolvedRedisStreamOptions>): Promise<RedisStreamWal>
}

function sharedLog(): Log {
  const keyPrefix = freshPrefix()
  return {
    keyPrefix,
    async open(options = {}) {
      const wal = redisStreamWal({ url: server.url, keyPrefix }, { leaseMs: LEASE_MS, ...options })
      await wal.open(`8000-${(++writers).toString(16).padStart(12, '0')}`)
      onTestFinished(() => wal.close())
      return wal
    },
  }
}

/** Everything that the process may bring to the place, until there is nothing more. */
async function drain(wal: RedisStreamWal, place: DatabasePlace): Promise<unknown[]> {
  const values: unknown[] = []
  for (;;) {
    const entries = await wal.read(place, 1_000)
    if (entries.length === 0) return values
    for (const { operations } of entries) {
      for (const operation of operations) if ('value' in operation) values.push(operation.value)
    }
    wal.acknowledge(
      place,
      entries.map(({ lsn }) => lsn),
    )
  }
}

describeRedis('a log in Redis streams', () => {
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(async () => {
    await server.stop()
  })

  test('a process reads what others appended and a place lacks, and not what it has', async () => {
    const log = sharedLog()
    const a = await log.open()
    const b = await log.open()
    const operation = append(KEY, stampAt(1), 'from a')
    const lsn = await a.append([operation], { fresh: true })
    for (const place of DATABASE_PLACES) {
      expect(await b.pending(place, KEY)).toEqual([operation])
      expect([...(await b.shared.pendingKeys(place))]).toEqual([KEY])
    }
    a.acknowledge('primary', [lsn])
    await eventually(async () => expect(await b.pending('primary', KEY)).toEqual([]))
    expect(await b.pending('backup', KEY)).toEqual([operation])
    expect([...(await b.shared.pendingKeys('primary'))]).toEqual([])
    a.acknowledge('backup', [lsn])
    await eventually(async () => expect(await b.pending('backup', KEY)).toEqual([]))
  })

  test('a group over several partitions is found by each of its keys, by all or none', async () => {
    const log = sharedLog()
    const a = await log.open()
    const b = await log.open()
    const group = [append(KEY, stampAt(1), 1), append(OTHER, stampAt(1, 1), 2)]
    const lsn = await a.append(group, { fresh: true })
    const single = append(OTHER, stampAt(2), 3)
    await b.append([single], { fresh: true })
    expect(await b.pending('primary', KEY)).toEqual([group[0]])
    expect(new Set(await b.pending('primary', OTHER))).toEqual(new Set([group[1], single]))
    a.acknowledge('primary', [lsn])
    await eventually(async () => expect(await b.pending('primary', OTHER)).toEqual([single]))
    expect(await b.pending('backup', OTHER)).toHaveLength(2)
    a.acknowledge('backup', [lsn])
    // The marks go with the entry.
    await eventually(async () => {
      const marks = await redisCommand(server.url, 'KEYS', `${log.keyPrefix}*m:${OTHER}`)
      expect(marks).toEqual([])
    })
    expect(await b.pending('backup', OTHER)).toEqual([single])
  })

  test('a group that its second partition refuses leaves nothing behind', async () => {
    const log = sharedLog()
    const a = await log.open()
    const b = await log.open()
    await b.append([append(OTHER, stampAt(9), 'later')], { fresh: true })
    const group = [append(KEY, stampAt(5), 1), append(OTHER, stampAt(5, 1), 2)]
    await expect(a.append(group, { fresh: true })).rejects.toBeInstanceOf(BehindInLog)
    expect(await b.pending('primary', KEY)).toEqual([])
    expect(await b.pending('primary', OTHER)).toHaveLength(1)
    expect([...(await b.shared.pendingKeys('primary'))]).toEqual([OTHER])
  })

  test('the sequencer refuses a stamp that is not greater than the last one of its key', async () => {
    const log = sharedLog()
    const a = await log.open()
    const b = await log.open()
    await a.append([clear(KEY, stampAt(10))], { fresh: true })
    const late = b.append([append(KEY, stampAt(9), 'late')], { fresh: true })
    await expect(late).rejects.toMatchObject({ stamps: new Map([[KEY, stampAt(10)]]) })
    const both = [append(KEY, stampAt(10), 'equal'), append(KEY, stampAt(11), 'later')]
    const equal = b.append(both, { fresh: true })
    await expect(equal).rejects.toBeInstanceOf(BehindInLog)
    await b.append([append(KEY, stampAt(10, 1), 'after')], { fresh: true })
    // What is acknowledged already is taken whatever its stamp.
    await b.append([append(KEY, stampAt(3), 'owed')])
    expect(await a.pending('primary', KEY)).toHaveLength(3)
  })

  test('a repeat of the very same stamps is the same entry, from whatever process', async () => {
    const log = sharedLog()
    const a = await log.open()
    const b = await log.open()
    const group = [append(KEY, stampAt(1), 1), append(OTHER, stampAt(1, 1), 2)]
    const lsn = await a.append(group, { fresh: true })
    await a.append([append(KEY, stampAt(2), 3), append(OTHER, stampAt(2, 1), 4)], { fresh: true })
    expect(await a.append(group, { fresh: true })).toBe(lsn)
    await b.append(group, { fresh: true })
    expect(await b.pending('primary', KEY)).toHaveLength(2)
    expect(await b.pending('primary', OTHER)).toHaveLength(2)
  })

  test('what a process is sending itself is left alone for the lease time, then taken over', async () => {
    const log = sharedLog()
    const a = await log.open({ leaseMs: 2_000 })
    const b = await log.open({ leaseMs: 2_000 })
    await a.append([append(KEY, stampAt(1), 'held')], { hold: ['primary', 'backup'] })
    const started = performance.now()
    expect(await b.read('primary', 10)).toEqual([])
    await eventually(async () => {
      expect(b.readable('primary')).toBeGreaterThan(0)
      expect(await drain(b, 'primary')).toEqual(['"held"'])
    })
    expect(performance.now() - started).toBeGreaterThan(1_900)
    // The one that was slow learns of it.
    a.release('primary', [1])
    await eventually(() => expect(a.stats().places.primary.pendingEntries).toBe(0))
  })

  test('taking over what was left alone does not take what is being sent', async () => {
    const log = sharedLog()
    const a = await log.open({ leaseMs: 1_000, partitions: 1 })
    const b = await log.open({ leaseMs: 1_000 })
    const hold = ['primary', 'backup'] as const
    await a.append([append(KEY, stampAt(1), 'left alone')], { hold })
    await eventually(() => expect(b.readable('primary')).toBeGreaterThan(0))
    await a.append([append(KEY, stampAt(2), 'being sent')], { hold })
    const entries = await b.read('primary', 10)
    expect(entries.map(({ operations }) => operations[0])).toMatchObject([
      { value: '"left alone"' },
    ])
  })

  test('what a closed process leaves is taken over at once', async () => {
    const log = sharedLog()
    const a = await log.open({ leaseMs: 60_000 })
    for (let i = 0; i < 20; i++) await a.append([append(`chat:${i}`, stampAt(i), i)])
    await a.close()
    const b = await log.open({ leaseMs: 60_000 })
    expect(b.formerWriters()).toHaveLength(1)
    expect(b.stats().places.backup.pendingEntries).toBe(20)
    expect(new Set(await drain(b, 'primary')).size).toBe(20)
    expect(new Set(await drain(b, 'backup')).size).toBe(20)
  })

  test('what a place refused is sent again by any process, and all others learn that it has it', async () => {
    const log = sharedLog()
    const a = await log.open()
    for (let i = 0; i < 20; i++) {
      const lsn = await a.append([append(`chat:${i}`, stampAt(i), i)])
      a.acknowledge('primary', [lsn])
      await a.quarantine('backup', lsn, 'refused')
    }
    const b = await log.open()
    const refused = (wal: RedisStreamWal): number => wal.stats().places.backup.quarantinedEntries
    expect([refused(a), refused(b)]).toEqual([20, 20])
    expect(await b.retryQuarantined('primary')).toBe(0)
    expect(await b.retryQuarantined('backup')).toBe(20)
    expect(await b.retryQuarantined('backup')).toBe(0)
    expect(new Set(await drain(b, 'backup')).size).toBe(20)
    expect(refused(b)).toBe(0)
    await expect.poll(() => refused(a), { timeout: 10_000 }).toBe(0)
    expect(await drain(a, 'backup')).toEqual([])
    expect(await a.pending('backup', 'chat:0')).toEqual([])
  })

  test('what is sent again is taken over when its process dies, and may be refused again', async () => {
    const log = sharedLog()
    const a = await log.open()
    const lsn = await a.append([append(KEY, stampAt(0), 'x')])
    await a.quarantine('backup', lsn, 'refused')
    const b = await log.open()
    expect(await b.retryQuarantined('backup')).toBe(1)
    await b.close()
    const c = await log.open()
    const [entry] = await c.read('backup', 10)
    await c.quarantine('backup', entry!.lsn, 'refused again')
    expect(await c.read('backup', 10)).toEqual([])
    expect(await c.pending('backup', KEY)).toHaveLength(1)
    expect(await c.retryQuarantined('backup')).toBe(1)
  })

  test('trimming removes what both places have, and never what one of them lacks', async () => {
    const log = sharedLog()
    const a = await log.open({ partitions: 1 })
    const lsns: number[] = []
    for (let i = 0; i < 100; i++) lsns.push(await a.append([append(KEY, stampAt(i), i)]))
    const stream = `${log.keyPrefix}wal:{et:0}:s`
    const length = async (): Promise<number> =>
      Number(await redisCommand(server.url, 'XLEN', stream))
    a.acknowledge('primary', lsns)
    a.acknowledge('backup', lsns.slice(50))
    await a.append([append(KEY, stampAt(200), 'kept')])
    await eventually(async () => expect(await a.pending('primary', KEY)).toHaveLength(1))
    expect(await length()).toBe(101)
    a.acknowledge('backup', lsns.slice(0, 30))
    await eventually(async () => expect(await length()).toBe(71))
    expect(await a.pending('backup', KEY)).toHaveLength(21)
    await a.quarantine('backup', lsns[30]!, 'poison')
    a.acknowledge('backup', lsns.slice(31, 50))
    await eventually(async () => expect(await a.pending('backup', KEY)).toHaveLength(2))
    // One that was set aside is kept as well, and so is what comes after it.
    expect(await length()).toBe(71)
  })

  test('the bytes of all processes and partitions count towards the limit', async () => {
    const log = sharedLog()
    const options = { pendingBytesMax: 30_000 }
    const a = await log.open(options)
    const b = await log.open(options)
    const value = 'x'.repeat(1_000)
    let taken = 0
    const fill = async (wal: RedisStreamWal): Promise<void> => {
      for (; taken < 1_000; taken++) await wal.append([append(KEY, stampAt(taken), value)])
    }
    await refuses(fill(a), 'OVERLOADED')
    await refuses(fill(b), 'OVERLOADED')
    expect(taken).toBeLessThan(40)
    await eventually(() => expect(b.isFull() || b.stats().bytes > 25_000).toBe(true))
    await refuses(b.append([append(OTHER, stampAt(taken), 'x'.repeat(10_000))]), 'OVERLOADED')
    await drain(a, 'primary')
    await drain(a, 'backup')
    await eventually(() => expect(b.stats().bytes).toBe(0))
    await b.append([append(KEY, stampAt(taken), value)])
  })

  test('payloads that memory let go of are read from the server', async () => {
    const log = sharedLog()
    const a = await log.open({ memoryBytesMax: 2_000 })
    for (let i = 0; i < 50; i++) await a.append([append(`chat:${i}`, stampAt(i), i)])
    expect((await drain(a, 'backup')).length).toBe(50)
  })

  test('the number of partitions is that of the first process', async () => {
    const log = sharedLog()
    const a = await log.open({ partitions: 3 })
    const b = await log.open({ partitions: 8 })
    for (let i = 0; i < 20; i++) await a.append([append(`chat:${i}`, stampAt(i), i)])
    for (let i = 0; i < 20; i++) expect(await b.pending('primary', `chat:${i}`)).toHaveLength(1)
  })
})

// Goal: the objects of a conversation stay few, what was erased is gone from all of them, and a
// process that dies half way leaves nothing that harms or stays. Method: look into the bucket.
import { describe, expect, test } from 'vitest'
import { S3Client } from '../../src/backend/s3/protocol/client.ts'
import { resolveS3Options } from '../../src/backend/s3/protocol/options.ts'
import type { FailpointName } from '../../src/core/failpoint.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Env } from '../../src/core/env.ts'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { allItems, collect, values } from '../../src/testing/backend/context.ts'
import { append, clear, remove, set, stampAt } from '../../src/testing/backend/operations.ts'
import { testBucket } from '../support/s3-bucket.ts'

const HOUR_MS = 3_600_000
const TEXT = 'y'.repeat(1_000)

/** An environment in which the process dies at a point, the n-th time it gets there. */
function dyingAt(point: FailpointName, nth = 1): Env {
  let hits = 0
  const hit = (name: FailpointName): void => {
    if (name === point && ++hits === nth) throw new Error('killed')
  }
  return { ...nodeEnv(), failpoints: { hit } }
}

describe('compaction', () => {
  test('the latest page of a long conversation is one list and few reads', async () => {
    const { open, server } = await testBucket()
    const backend = await open()
    for (let i = 0; i < 2_000; i += 20) {
      const some = Array.from({ length: 20 }, (_, n) =>
        append('k', stampAt(i + n), `${i + n} ${TEXT}`),
      )
      await backend.apply(some)
    }
    const segments = [...server.store().objects.keys()].filter((name) => name.includes('/v/'))
    expect(segments.length).toBeLessThan(20)
    const reader = await open()
    const before = reader.getRequestCounts()
    const page = await reader.readItems({ key: 'k', limit: 50, order: 'newest' })
    const after = reader.getRequestCounts()
    expect(page.items[0]!.appended).toContain('1999 ')
    expect(after.list - before.list).toBe(1)
    expect(after.get - before.get).toBeLessThanOrEqual(4)
    expect(await values(reader, 'k')).toEqual(
      Array.from({ length: 2_000 }, (_, i) => `${i} ${TEXT}`),
    )
    expect(await reader.digest(WHOLE_RANGE, 16)).toEqual(await backend.digest(WHOLE_RANGE, 16))
  })

  test('counts and digests of conversations read no values', async () => {
    const { open, server } = await testBucket()
    const backend = await open()
    for (const key of ['a', 'b']) {
      const many = Array.from({ length: 300 }, (_, i) => append(key, stampAt(i), TEXT))
      await backend.apply(many)
    }
    const read: string[] = []
    server.onRequest = ({ method, name }) => {
      if (method === 'GET' && name !== '') read.push(name)
    }
    const reader = await open()
    await reader.countItems('a')
    await reader.digest(WHOLE_RANGE, 1)
    expect(read.filter((name) => name.includes('/v/'))).toEqual([])
    await reader.digest({ from: stampAt(0), to: stampAt(1_000) }, 100)
    // Two indexes, no segment.
    expect(read.filter((name) => name.includes('/v/'))).toHaveLength(2)
  })

  test('superseded versions are removed when nobody can take their names any more', async () => {
    const { open, server } = await testBucket()
    const backend = await open()
    for (let i = 0; i < 10; i++) await backend.apply([append('k', stampAt(i), i)])
    const versions = () => [...server.store().objects.keys()].filter((name) => name.includes('/k/'))
    await backend.digest(WHOLE_RANGE, 1)
    expect(versions()).toHaveLength(10)
    server.store().age(HOUR_MS + 60_000)
    await backend.digest(WHOLE_RANGE, 1)
    expect(versions()).toHaveLength(1)
    expect(await values(await open(), 'k')).toHaveLength(10)
  })

  test('a process that slept for hours adds no version below the newest', async () => {
    const { open, server } = await testBucket()
    // Its monotonic clock stands still meanwhile.
    const env = { ...nodeEnv(), now: () => Date.now() + server.clockOffsetMs }
    const [sleeper, other] = [await open({}, env), await open({}, env)]
    await sleeper.apply([append('k', stampAt(0), 0)])
    server.clockOffsetMs += 2 * HOUR_MS
    for (let i = 1; i <= 5; i++) await other.apply([append('k', stampAt(i), i)])
    server.clockOffsetMs += 2 * HOUR_MS
    await other.digest(WHOLE_RANGE, 1)
    const versions = [...server.store().objects.keys()].filter((name) => name.includes('/k/'))
    expect(versions).toHaveLength(1)
    await sleeper.apply([append('k', stampAt(6), 6)])
    expect(await values(await open({}, env), 'k')).toHaveLength(7)
  })

  test('a process that dies in it leaves what a later one removes', async () => {
    const { open, server } = await testBucket()
    const many = Array.from({ length: 100 }, (_, i) => append('k', stampAt(i), `${i} ${TEXT}`))
    const dying = await open({}, dyingAt('s3.beforeCommit'))
    await expect(dying.apply(many)).rejects.toThrow('killed')
    const values1 = () => [...server.store().objects.keys()].filter((name) => name.includes('/v/'))
    const orphans = values1()
    expect(orphans.length).toBeGreaterThan(0)
    const backend = await open()
    expect(await allItems(backend, 'k')).toEqual([])
    await backend.apply(many)
    expect(await allItems(backend, 'k')).toHaveLength(100)
    // Young ones may belong to a process that is about to name them.
    expect(values1()).toEqual(expect.arrayContaining(orphans))
    server.store().age(HOUR_MS + 60_000)
    const more = Array.from({ length: 100 }, (_, i) => append('k', stampAt(1_000 + i), TEXT))
    await backend.apply(more)
    expect(values1().filter((name) => orphans.includes(name))).toEqual([])
    expect(await allItems(await open(), 'k')).toHaveLength(200)
  })

  test('two processes that compact at once keep everything', async () => {
    const { open } = await testBucket()
    const [one, two] = [await open(), await open()]
    await Promise.all(
      [one, two].flatMap((backend, b) =>
        Array.from({ length: 6 }, async (_, i) => {
          const many = Array.from({ length: 50 }, (__, n) =>
            append('k', stampAt(i * 100 + n, b), `${b} ${i} ${n} ${TEXT}`),
          )
          await backend.apply(many)
        }),
      ),
    )
    expect(await values(await open(), 'k')).toHaveLength(600)
  })
})

describe('erasing', () => {
  const SECRET = 'never-to-be-seen-again'

  async function filled(env?: Env) {
    const bucket = await testBucket()
    const backend = await bucket.open({}, env)
    await backend.apply([append('k', stampAt(1), SECRET, 'id')])
    await backend.apply([append('k', stampAt(2), 'stays')])
    await backend.apply(
      Array.from({ length: 100 }, (_, i) => append('k', stampAt(10 + i), `${i} ${TEXT}`)),
    )
    await backend.apply([
      append('k', stampAt(500), `${SECRET} too`, 'tail'),
      set('other', stampAt(1), 1),
    ])
    expect(bucket.server.store().holding(SECRET).length).toBeGreaterThan(1)
    return { ...bucket, backend }
  }

  test('a clear leaves no byte of a message in any object', async () => {
    const { backend, server, open } = await filled()
    await backend.apply([clear('k', stampAt(1_000))], { decide: true })
    expect(server.store().holding(SECRET)).toEqual([])
    expect(server.store().holding(TEXT)).toEqual([])
    await backend.apply([append('k', stampAt(1), SECRET, 'id')])
    expect(server.store().holding(SECRET)).toEqual([])
    expect(await values(await open(), 'k')).toEqual([])
  })

  test('a removal leaves none of that message, and all of the others', async () => {
    const { backend, server, open } = await filled()
    await backend.apply([remove('k', 'id', stampAt(1), stampAt(1_000))])
    await backend.apply([remove('k', 'tail', stampAt(500), stampAt(1_001))])
    expect(server.store().holding(SECRET)).toEqual([])
    expect(await values(await open(), 'k')).toHaveLength(101)
    await backend.apply([append('k', stampAt(1), SECRET, 'id')])
    expect(server.store().holding(SECRET)).toEqual([])
  })

  test('a process that dies between the two steps has not acknowledged, and a repeat ends it', async () => {
    // The fifth version of the key is the one that clears it.
    const { backend, server, open } = await filled(dyingAt('s3.afterCommit', 6))
    const cleared = clear('k', stampAt(1_000))
    const call = backend.apply([cleared])
    await expect(call).rejects.toMatchObject({ effect: 'unknown' })
    expect(server.store().holding(SECRET).length).toBeGreaterThan(0)
    const other = await open()
    expect(await values(other, 'k')).toEqual([])
    await other.apply([cleared])
    expect(server.store().holding(SECRET)).toEqual([])
  })

  test('what a process left that died while it compacted is erased, too', async () => {
    const { open, server } = await testBucket()
    const dying = await open({}, dyingAt('s3.beforeCommit'))
    const many = Array.from({ length: 100 }, (_, i) => append('k', stampAt(i), `${i} ${TEXT}`))
    await expect(dying.apply(many)).rejects.toThrow('killed')
    expect(server.store().holding(TEXT)).not.toEqual([])
    const backend = await open()
    await backend.apply([clear('k', stampAt(1_000))])
    expect(server.store().holding(TEXT)).toEqual([])
  })

  test('purge ends what a process left half done, and says what it cannot reach', async () => {
    const { backend, server, open } = await filled(dyingAt('s3.afterCommit', 6))
    await expect(backend.apply([clear('k', stampAt(1_000))])).rejects.toThrow('killed')
    expect(server.store().holding(SECRET)).not.toEqual([])
    expect(await (await open()).purge()).toEqual([
      expect.stringMatching(/^parts of large uploads/),
      'replicas and backups of the bucket',
    ])
    expect(server.store().holding(SECRET)).toEqual([])
  })

  test('a journal that a dead process left loses it, too, and a replay does not bring it back', async () => {
    const { open, server } = await testBucket()
    const dying = await open({}, dyingAt('s3.beforeCommit'))
    const group = [append('k', stampAt(1), SECRET), append('other', stampAt(1), 1)]
    await expect(dying.apply(group)).rejects.toMatchObject({ effect: 'unknown' })
    await dying.disconnect()
    expect(server.store().holding(SECRET)).not.toEqual([])
    const backend = await open()
    await backend.apply([clear('k', stampAt(5))])
    expect(server.store().holding(SECRET)).toEqual([])
    const seen: string[] = []
    server.onRequest = () => void seen.push(...server.store().holding(SECRET))
    await backend.apply(group)
    expect(seen).toEqual([])
    expect(await values(await open(), 'other')).toEqual([1])
  })

  test('a removal that the server fails half way is not acknowledged', async () => {
    const { backend, server } = await filled()
    server.fault = ({ method, name }) =>
      method === 'PUT' && name.includes('/k/') && server.store().objects.has(name)
        ? 'slow-down'
        : undefined
    const call = backend.apply([clear('k', stampAt(1_000))])
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'unknown' })
    server.fault = () => undefined
    await backend.apply([clear('k', stampAt(1_000))])
    expect(server.store().holding(SECRET)).toEqual([])
  })
})

describe('a group over several conversations', () => {
  test('is finished by another process when its own one died', async () => {
    const { open, server } = await testBucket()
    const dying = await open({}, dyingAt('s3.afterCommit'))
    const group = ['a', 'b', 'c'].map((key, i) => append(key, stampAt(i), key))
    const call = dying.apply(group, { decide: true })
    await expect(call).rejects.toMatchObject({ effect: 'unknown' })
    await dying.disconnect()
    const other = await open()
    server.store().age(61_000)
    const journals = () => [...server.store().objects.keys()].filter((name) => name.includes('/j/'))
    expect(journals()).toHaveLength(1)
    await expect
      .poll(async () => {
        await other.readState('w')
        return journals().length
      })
      .toBe(0)
    for (const key of ['a', 'b', 'c']) expect(await values(other, key)).toEqual([key])
  })

  test('one that cannot be finished holds up neither the others nor a clear', async () => {
    const { open, server } = await testBucket()
    const journals = () => [...server.store().objects.keys()].filter((name) => name.includes('/j/'))
    const dying = await open({}, dyingAt('s3.afterCommit'))
    await expect(
      dying.apply([append('a', stampAt(1), 1), append('b', stampAt(1), 1)]),
    ).rejects.toThrow()
    await dying.disconnect()
    const [name] = journals()
    server.store().put(name!.replace(/[^/]+$/, '0'), Buffer.from('damaged'), Date.now())
    const other = await open()
    await other.apply([append('c', stampAt(1), 1)])
    await other.apply([clear('c', stampAt(2))])
    server.store().age(61_000)
    await expect
      .poll(async () => {
        await other.readState('w')
        return journals().length
      })
      .toBe(0)
    for (const key of ['a', 'b']) expect(await values(other, key)).toEqual([1])
  })

  test('is erased from however many journals dead processes left', async () => {
    const { open, server } = await testBucket({ listMax: 2 })
    for (let i = 0; i < 4; i++) {
      const dying = await open({}, dyingAt('s3.beforeCommit'))
      const group = [append('k', stampAt(i), `never-seen ${i}`), append('other', stampAt(i), i)]
      await expect(dying.apply(group)).rejects.toThrow()
      await dying.disconnect()
    }
    await (await open()).apply([clear('k', stampAt(9))])
    expect(server.store().holding('never-seen')).toEqual([])
  })
})

describe('names', () => {
  test('keys of any length and any characters are told apart and stay in order', async () => {
    const { open } = await testBucket({ listMax: 3 })
    const backend = await open()
    const long = 'é'.repeat(150)
    const keys = [
      'a',
      'a/b',
      'a0',
      '..',
      '😀',
      long,
      `${long}0`,
      `${long}1`,
      `${long}1x`,
      `${long}é`,
    ]
    for (const [i, key] of keys.entries()) await backend.apply([append(key, stampAt(i), key)])
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(await backend.list('')).toEqual(sorted)
    expect(await backend.list(`${long}1`)).toEqual([`${long}1`, `${long}1x`])
    const page = await backend.listKeys({ prefix: long, after: `${long}0`, limit: 2 })
    expect(page).toMatchObject({ keys: [`${long}1`, `${long}1x`], done: false })
    for (const key of keys) expect(await values(backend, key)).toEqual([key])
    expect(await collect(backend.scan(WHOLE_RANGE))).toHaveLength(keys.length)
  })

  test('a version that was signed long ago is refused by the server, however it was delayed', async () => {
    const { options, server } = await testBucket()
    const client = new S3Client(nodeEnv(), resolveS3Options(options))
    const call = { signal: AbortSignal.timeout(10_000) }
    const longAgo = Date.now() - 16 * 60_000
    await expect(client.create('late', Buffer.from('x'), call, longAgo)).rejects.toThrow('Skewed')
    expect(server.store().objects.size).toBe(0)
  })
})

test('a large object is sent in parts, and nothing of it stays when that fails', async () => {
  const { options, server } = await testBucket()
  const client = new S3Client(nodeEnv(), {
    ...resolveS3Options({ ...options, multipartBytes: 5 * 1024 ** 2, retriesMax: 1 }),
  })
  const call = { signal: AbortSignal.timeout(30_000) }
  const body = Buffer.alloc(12 * 1024 ** 2, 'abc')
  const parts: string[] = []
  server.onRequest = ({ query }) => void parts.push(query.get('partNumber') ?? '')
  await client.put('large', body, call)
  expect(parts.filter((part) => part !== '').sort()).toEqual(['1', '2', '3'])
  expect((await client.get('large', call))!.equals(body)).toBe(true)
  server.fault = ({ query }) => (query.get('partNumber') === '2' ? 'slow-down' : undefined)
  await expect(client.put('other', body, call)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(server.store().uploads.size).toBe(0)
  expect(server.store().objects.size).toBe(1)
})

// Goal: what is acknowledged by a bucket stays, once, whatever the network, the server and other
// processes do. Method: a server in this process that loses requests and answers at random.
import { describe, expect, test } from 'vitest'
import { S3Backend } from '../../src/backend/s3/index.ts'
import { isStorageError } from '../../src/core/errors.ts'
import type { S3Fault } from '../../simulator/s3/s3-server.ts'
import { digestOf } from '../../src/core/digest.ts'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { allItems, collect, judge, rejects, values } from '../../src/testing/backend/context.ts'
import { append, clear, set, stampAt } from '../../src/testing/backend/operations.ts'
import { testBucket } from '../support/s3-bucket.ts'

const FAULTS: readonly S3Fault[] = [
  'lost-request',
  'lost-reply',
  'truncated-reply',
  'internal-error',
  'slow-down',
]

/** Every n-th request fails, each time in another way. */
function everyNth(n: number): () => S3Fault | undefined {
  let count = 0
  return () => (++count % n === 0 ? FAULTS[(count / n) % FAULTS.length] : undefined)
}

describe('several processes write to one conversation', () => {
  test('each message is there once, and each id belongs to one of them', async () => {
    const { open } = await testBucket()
    const backends = await Promise.all([open(), open(), open()])
    const outcomes = await Promise.all(
      Array.from({ length: 45 }, async (_, i) => {
        const operation = append('k', stampAt(i), i % 5, `id ${i >> 1}`)
        const [answer] = await judge(backends[i % 3]!, [operation], { unique: true })
        return [i >> 1, answer!.outcome] as const
      }),
    )
    for (let id = 0; id <= 22; id++) {
      const applied = outcomes.filter(([of, outcome]) => of === id && outcome === 'applied')
      expect(applied, `id ${id}`).toHaveLength(1)
    }
    for (const backend of backends) expect(await allItems(backend, 'k')).toHaveLength(23)
  })

  test('a clear that did not see the latest message of another process is behind', async () => {
    const { open } = await testBucket()
    const [one, two] = [await open(), await open()]
    await one.apply([append('k', stampAt(1), 'a')])
    expect(await values(two, 'k')).toEqual(['a'])
    await one.apply([append('k', stampAt(9), 'b')])
    const [answer] = await judge(two, [clear('k', stampAt(5))])
    expect(answer).toEqual({ outcome: 'behind', stamp: stampAt(9) })
  })
})

describe('a server that fails', () => {
  test('every third request, in every way, loses and doubles nothing', async () => {
    const { open, server } = await testBucket()
    const backends = await Promise.all([
      open({ retriesMax: 2 }),
      open({ retriesMax: 2 }),
      open({ retriesMax: 0 }),
    ])
    server.fault = everyNth(3)
    const tries = Array.from({ length: 60 }, async (_, i) => {
      const key = `k${i % 4}`
      const operation = append(key, stampAt(i), i, `id ${i}`)
      const group = i % 6 === 5 ? [operation, append('other', stampAt(i), i)] : [operation]
      try {
        const answers = await judge(backends[i % 3]!, group, { unique: true })
        expect(['applied', 'stands']).toContain(answers[0]!.outcome)
        return { i, acknowledged: true }
      } catch (error) {
        expect(isStorageError(error), String(error)).toBe(true)
        return { i, acknowledged: false, effect: isStorageError(error) && error.effect }
      }
    })
    const results = await Promise.all(tries)
    server.fault = () => undefined
    const reader = await open()
    const stored = new Set<unknown>()
    for (let k = 0; k < 4; k++) {
      const items = await values(reader, `k${k}`)
      expect(new Set(items).size).toBe(items.length)
      for (const item of items) stored.add(item)
    }
    expect(results.some(({ acknowledged }) => acknowledged)).toBe(true)
    for (const { i, acknowledged, effect } of results) {
      if (acknowledged) expect(stored.has(i), `message ${i}`).toBe(true)
      else if (effect === 'none') expect(stored.has(i), `message ${i}`).toBe(false)
    }
  })

  test('a lost answer to a version is recognized as our own', async () => {
    const { open, server } = await testBucket()
    const backend = await open()
    await backend.apply([append('k', stampAt(1), 'a')])
    let lost = 0
    server.fault = ({ method, name }) => {
      if (method !== 'PUT' || !name.includes('/k/') || lost++ > 0) return undefined
      return 'lost-reply'
    }
    const operation = append('k', stampAt(2), 'b', 'id')
    const [answer] = await judge(backend, [operation], { unique: true })
    expect(answer!.outcome).toBe('applied')
    expect(lost).toBe(2)
    expect(await values(backend, 'k')).toEqual(['a', 'b'])
  })

  test('that hangs costs the time of the call and leaves the outcome open', async () => {
    const { open, server } = await testBucket()
    const backend = await open({ requestTimeoutMs: 60_000 })
    await backend.apply([append('k', stampAt(1), 'a')])
    server.fault = ({ method }) => (method === 'PUT' ? 'hang' : undefined)
    const call = backend.apply([append('k', stampAt(2), 'b')], { timeoutMs: 100 })
    await expect(call).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
    server.fault = ({ method }) => (method === 'GET' ? 'hang' : undefined)
    const read = backend.countItems('k', { timeoutMs: 100 })
    await expect(read).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'none' })
  })

  test('that is away for good is an error without effect, and works again when it is back', async () => {
    const { open, server } = await testBucket()
    const backend = await open({ retriesMax: 0 })
    const port = Number(new URL(server.endpoint).port)
    await server.stop()
    const call = backend.apply([append('k', stampAt(1), 'a')])
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    await rejects(backend.readState('w'), 'UNAVAILABLE')
    await server.start(port)
    await backend.apply([append('k', stampAt(1), 'a')])
    expect(await values(backend, 'k')).toEqual(['a'])
  })
})

describe('connecting', () => {
  test('a server that ignores conditional writes is refused', async () => {
    const { open } = await testBucket({ ignoresConditions: true })
    await expect(open()).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('If-None-Match') as string,
    })
  })

  test('a wrong secret, a missing bucket and a wrong clock are said, and no secret with them', async () => {
    const { open, server } = await testBucket()
    const wrong = { accessKeyId: server.keys.accessKeyId, secretAccessKey: 'hidden' }
    const error: unknown = await open({ credentials: wrong }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'CONNECTION' })
    expect(String(error)).toContain('SignatureDoesNotMatch')
    expect(String(error)).not.toContain('hidden')
    await expect(open({ bucket: 'absent' })).rejects.toThrow('NoSuchBucket')
    server.clockOffsetMs = 16 * 60_000
    await expect(open()).rejects.toThrow('the clock of this machine is wrong')
  })

  test('expired credentials are asked for again', async () => {
    const { server, options } = await testBucket()
    let asked = 0
    const credentials = async () => {
      asked++
      return asked === 1 ? { ...server.keys, sessionToken: 'expired' } : server.keys
    }
    const backend = new S3Backend({ ...options, credentials })
    await backend.connect()
    expect(asked).toBe(2)
    await backend.disconnect()
  })

  test('a bucket that was emptied is another database', async () => {
    const { open, server } = await testBucket()
    const backend = await open()
    await backend.apply([append('k', stampAt(1), 'a')])
    const before = await backend.readState('w')
    server.store().objects.clear()
    const after = await backend.readState('w')
    expect(after.identity).not.toBe(before.identity)
    expect(after.head).toBeUndefined()
    await backend.apply([append('k', stampAt(2), 'b')])
    expect(await values(backend, 'k')).toEqual(['b'])
  })
})

describe('a damaged object', () => {
  test('is an error that names it, and holds up nothing else', async () => {
    const { open, server } = await testBucket()
    const backend = await open()
    await backend.apply([append('bad', stampAt(1), 'a'), append('good', stampAt(2), 'b')])
    const { objects } = server.store()
    const hex = Buffer.from('bad').toString('hex')
    const name = [...objects.keys()].find((one) => one.includes(`/k/${hex}/`))!
    const object = objects.get(name)!
    const body = Buffer.from(object.body)
    body[body.byteLength - 5]! ^= 1
    objects.set(name, { ...object, body })
    const reader = await open()
    await expect(reader.countItems('bad')).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining(name.split('/').at(-1)!) as string,
    })
    await rejects(reader.apply([append('bad', stampAt(3), 'c')]), 'REJECTED')
    await reader.apply([append('good', stampAt(3), 'c')])
    expect(await values(reader, 'good')).toEqual(['b', 'c'])
    await rejects(reader.apply([set('bad', stampAt(4), 1), set('good', stampAt(4), 1)]), 'REJECTED')
    expect([...objects.keys()].filter((one) => one.includes('/m/j/'))).toEqual([])
    // What docs/runbooks.md says: empty its folder, restart, and copy what the primary has.
    const folder = name.slice(0, name.lastIndexOf('/') + 1)
    for (const one of objects.keys()) if (one.startsWith(folder)) objects.delete(one)
    const restarted = await open()
    await restarted.apply([append('bad', stampAt(1), 'a')])
    expect(await values(restarted, 'bad')).toEqual(['a'])
  })

  test('that is a segment is found by a deep look, and repaired from intact values', async () => {
    const { open, server } = await testBucket()
    const backend = await open()
    const text = 'x'.repeat(10_000)
    const many = Array.from({ length: 60 }, (_, i) => append('k', stampAt(i), `${i} ${text}`))
    await backend.apply(many)
    await backend.apply([set('other', stampAt(1), 'small')])
    const before = await backend.digest(WHOLE_RANGE, 4)
    const { objects } = server.store()
    for (const [sign, how] of [['"0 xxx', 'cut'] as const, ['"59 xxx', 'removed'] as const]) {
      const [name, object] = [...objects].find(([one, { body }]) => {
        return one.includes('/v/') && body.includes(sign.slice(1))
      })!
      if (how === 'removed') objects.delete(name)
      else objects.set(name, { ...object, body: object.body.subarray(0, 5_000) })
      const stored = await collect(backend.scanStored(WHOLE_RANGE))
      expect(stored).toHaveLength(61)
      const damaged = stored.filter(({ operation, digest }) => digestOf(operation) !== digest)
      expect(damaged.length).toBeGreaterThan(0)
      expect(damaged.length).toBeLessThan(60)
      const positions = new Set(damaged.map(({ operation }) => operation.stamp))
      const intact = many.filter(({ stamp }) => positions.has(stamp))
      expect(intact).toHaveLength(damaged.length)
      // One by one, so that repaired and damaged values of one segment stand side by side.
      const last = intact.pop()!
      expect(await backend.repair([last])).toBe(1)
      const left = await collect((await open()).scanStored(WHOLE_RANGE))
      expect(left.filter(({ operation, digest }) => digestOf(operation) !== digest)).toHaveLength(
        intact.length,
      )
      expect(await backend.repair(intact)).toBe(intact.length)
      const reader = await open()
      expect(await values(reader, 'k')).toEqual(many.map((_, i) => `${i} ${text}`))
      expect(await reader.digest(WHOLE_RANGE, 4)).toEqual(before)
    }
    const strangers = [append('k', stampAt(0, 1), 'later', stampAt(0)), set('other', stampAt(2), 1)]
    expect(await backend.repair(strangers)).toBe(0)
  })

  test('is found in a segment, too, and only where it is read', async () => {
    const { open, server } = await testBucket()
    const backend = await open()
    const text = 'x'.repeat(10_000)
    const first = Array.from({ length: 40 }, (_, i) => append('k', stampAt(i), `${i} ${text}`))
    await backend.apply(first)
    const { objects } = server.store()
    const [name, object] = [...objects].find(([one, { body }]) => {
      return one.includes('/v/') && body.includes('"0 xxx')
    })!
    objects.set(name, { ...object, body: object.body.subarray(0, 5_000) })
    const reader = await open()
    const oldest = reader.readItems({ key: 'k', limit: 1, order: 'oldest' })
    await expect(oldest).rejects.toMatchObject({ code: 'CORRUPT' })
    const newest = await reader.readItems({ key: 'k', limit: 1, order: 'newest' })
    expect(newest.items).toHaveLength(1)
    expect((await reader.countItems('k')).count).toBe(40)
    objects.delete(name)
    const missing = (await open()).readItems({ key: 'k', limit: 1, order: 'oldest' })
    await expect(missing).rejects.toThrow('is missing')
  })
})

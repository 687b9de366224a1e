// Goal: whatever fails, and however many processes write, compact and erase at once, a bucket ends as
// the merge of everything that was written. Method: random operations, some with large values, are
// sent by three processes until each was acknowledged, while every so many requests fail in turn; a
// process that remembers nothing is then compared with the in-memory database.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { digestOf } from '../../src/core/digest.ts'
import { isStorageError } from '../../src/core/errors.ts'
import type { Operation } from '../../src/core/operation.ts'
import { allItems } from '../../src/testing/backend/context.ts'
import { json } from '../../src/testing/backend/operations.ts'
import { anyOperation, ARBITRARY_KEYS } from '../../src/testing/operation-arbitraries.ts'
import type { S3Fault } from '../../simulator/s3/s3-server.ts'
import { testBucket } from '../support/s3-bucket.ts'

const RUNS = Number(process.env['S3_RUNS'] ?? 3)
const TRIES_MAX = 30
const FAULTS: readonly S3Fault[] = [
  'lost-request',
  'lost-reply',
  'truncated-reply',
  'internal-error',
  'slow-down',
]

test('three processes and a server that fails end as the merge of everything', async () => {
  const groups = fc.array(
    fc.record({
      operations: fc.array(anyOperation, { minLength: 1, maxLength: 4 }),
      process: fc.nat(2),
    }),
    { minLength: 5, maxLength: 20 },
  )
  const property = fc.asyncProperty(groups, fc.integer({ min: 10, max: 60 }), async (calls, n) => {
    const { open, server } = await testBucket()
    const backends = await Promise.all([
      open({ retriesMax: 1 }),
      open({ retriesMax: 1, cacheBytes: 0 }),
      open({ retriesMax: 0 }),
    ])
    let requests = 0
    server.fault = () => (++requests % n === 0 ? FAULTS[(requests / n) % FAULTS.length] : undefined)
    const reference = new MemoryBackend()
    await reference.connect()
    await Promise.all(
      calls.map(async ({ operations, process }) => {
        const group = operations.map(enlarged)
        await reference.apply(group)
        await insist(backends[process]!, group)
      }),
    )
    server.fault = () => undefined
    const reader = await open()
    expect(await reader.digest(WHOLE_RANGE, 8)).toEqual(await reference.digest(WHOLE_RANGE, 8))
    for (const key of ARBITRARY_KEYS) {
      const options = { includeRemoved: true }
      expect(await allItems(reader, key, options)).toEqual(await allItems(reference, key, options))
      const { identity: _own, ...register } = await reference.readRegister(key)
      expect(await reader.readRegister(key)).toMatchObject(register)
      expect((await reader.countItems(key)).count).toBe((await reference.countItems(key)).count)
    }
  })
  // Requests fail by number: a shorter list of operations is another run, not a part of this one.
  await fc.assert(property, { numRuns: RUNS, endOnFailure: true })
}, 300_000)

/** Some of these fill a version, so that it is compacted. One operation always has one value. */
function enlarged(operation: Operation): Operation {
  if (!('value' in operation) || digestOf(operation) % 2 === 0) return operation
  return { ...operation, value: json(operation.value.repeat(300)) }
}

async function insist(backend: ReplicaBackend, group: readonly Operation[]): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await backend.apply(group)
      return
    } catch (error) {
      if (attempt === TRIES_MAX || !isStorageError(error) || error.code === 'CORRUPT') throw error
    }
  }
}

import { expect, test } from 'vitest'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import type { S3Backend } from '../../src/backend/s3/index.ts'
import { append } from '../../src/testing/backend/operations.ts'
import { reconcilerRig, type ReconcilerRig } from '../support/reconciler-rig.ts'
import { testBucket } from '../support/s3-bucket.ts'
import { at, expected, OPERATIONS, probe, wrongReads } from '../support/whole-reads.ts'

/** Enough for a segment and its index, and something after them. */
const MANY = Array.from({ length: 33 }, (_, i) =>
  append('chat/0', at(1_000 + i), `${i} ${'y'.repeat(2_100)}`),
)
const LAST = append('chat/0', at(2_000), 'last')

interface Setup extends ReconcilerRig {
  readonly primary: S3Backend
  readonly open: () => Promise<S3Backend>
  readonly whole: Awaited<ReturnType<typeof expected>>
  /** Objects whose names match, and what is in them. */
  readonly find: (pattern: RegExp) => readonly string[]
  readonly textOf: (name: string) => string
  readonly lose: (name: string) => void
  readonly spoil: (name: string) => void
}

async function setup(): Promise<Setup> {
  const { server, open } = await testBucket()
  const backup = new MemoryBackend()
  const writer = await open()
  await Promise.all([backup.connect(), writer.apply(OPERATIONS)])
  await writer.apply(MANY)
  await writer.apply([LAST])
  await backup.apply([...OPERATIONS, ...MANY, LAST])
  await reconcilerRig(writer, backup).reconciler.reconcile()
  const whole = await expected(backup)
  // One that remembers nothing: objects are never written twice, so a reader need not look again.
  const primary = await open()
  const rig = reconcilerRig(primary, backup)
  await probe(rig.context)
  const { objects } = server.store()
  return {
    ...rig,
    primary,
    whole,
    open: async () => await open(),
    find: (pattern) => [...objects.keys()].filter((name) => pattern.test(name)).sort(),
    textOf: (name) => String(objects.get(name)!.body),
    lose: (name) => void objects.delete(name),
    spoil: (name) => {
      const object = objects.get(name)!
      objects.set(name, { ...object, body: Buffer.from('spoilt') })
    },
  }
}

const VERSIONS = /\/k\//
const VALUES = /\/v\//

// Goal: what is missing of a bucket is found, and comes back from the other database.
test.each(['index', 'segment'])('a missing %s is found and mended', async (kind) => {
  const { context, reconciler, open, whole, find, textOf, lose } = await setup()
  const object = find(VALUES).find((name) => textOf(name).startsWith(`everthread-s3 1 ${kind} `))!
  lose(object)
  expect(await wrongReads(context, whole)).toEqual([])
  const { damaged, damagedRows } = await reconciler.verify({ deep: true })
  expect(damaged).toBeGreaterThan(0)
  expect(damagedRows.every(({ place, key }) => place === 'primary' && key === 'chat/0')).toBe(true)
  await reconciler.repair()
  await expectWhole(await open(), whole)
  expect(await reconciler.verify({ deep: true })).toMatchObject({ damaged: 0, differing: 0 })
})

test('a spoilt version is found and mended', async () => {
  const { context, reconciler, open, whole, find, spoil } = await setup()
  spoil(find(/\/k\/636861742f31\//)[0]!)
  expect(await wrongReads(context, whole)).toEqual([])
  await reconciler.reconcile()
  await expectWhole(await open(), whole)
  await probe(context)
  expect(context.monitor.isTrusted()).toBe(true)
})

test('missing versions are missing rows, which a pass copies', async () => {
  const { reconciler, open, whole, find, lose } = await setup()
  for (const name of find(VERSIONS)) lose(name)
  expect((await reconciler.verify()).missingInPrimary).toBeGreaterThan(33)
  await reconciler.reconcile()
  await expectWhole(await open(), whole)
})

test('without its identity the bucket is another database, which a pass fills', async () => {
  const { context, reconciler, open, whole, find, lose } = await setup()
  lose(find(/\/identity$/)[0]!)
  await probe(context)
  expect(context.monitor.needsReconcile()).toBe(true)
  expect(await wrongReads(context, whole)).toEqual([])
  await reconciler.reconcile()
  await expectWhole(await open(), whole)
})

test('without its marks and leases no read is less than it says', async () => {
  const { context, whole, find, lose } = await setup()
  for (const name of find(/\/[ml]\//)) lose(name)
  await probe(context)
  expect(await wrongReads(context, whole)).toEqual([])
  expect(context.monitor.isTrusted()).toBe(false)
})

async function expectWhole(backend: S3Backend, whole: Setup['whole']): Promise<void> {
  expect(await expected(backend)).toEqual(whole)
}

// Goal: what was stored before edits and removals belonged to positions opens, with the digests that it
// would have now, and nothing of cleared items is left.
// Method: every engine's data was written once by that release, from one list of operations: edits, a
// removal, an item that had moved, an encrypted edit, and an edit and a removal that had outlived a
// clear. Each is compared with an in-memory database of today.
import { expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { plainAdapter } from '../../src/backend/plain-adapter.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { SqliteBackend } from '../../src/backend/sqlite/index.ts'
import { storedOperations } from '../../src/backend/stored-operations.ts'
import type { JsonText } from '../../src/core/json.ts'
import { compareText } from '../../src/core/text.ts'
import { digestOf } from '../../src/core/digest.ts'
import type { Operation } from '../../src/core/operation.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import { append, clear, edit, remove, set, stampAt } from '../../src/testing/backend/operations.ts'
import { MapBackend } from '../../src/testing/map-backend.ts'
import { GoldenData } from '../support/golden-data.ts'
import { openPostgres, postgresUrl } from '../support/postgres-backend.ts'
import { hasRedis } from '../support/redis-server.ts'

/** Encrypted by that release with the digest of the plain edit in it. */
const ENVELOPE =
  'et1.k1.5b0630c4.67446f85182a.zCodyON2GCuKX4HKtC8VvikYuiifnxLb8TCIDBg-vz1VVo7YUK5J' as JsonText

/** Enough in one key that an S3 bucket has its values in segments. */
const MANY = Array.from({ length: 300 }, (_, i) => append('k', stampAt(100_000 + i), i))

function at(seconds: number): Stamp {
  return stampAt(seconds * 1_000)
}

/** Encrypted values of that time were JSON strings; engines that store digests know theirs all the same. */
type Secret = 'digest is stored' | 'digest is made from the text'

function expectedOperations(secret: Secret): readonly Operation[] {
  const encrypted = { ...edit('k', 'secret', at(6), at(26), ''), value: ENVELOPE }
  return [
    append('k', at(1), 'own'),
    edit('k', at(1), at(1), at(21), 'own, edited'),
    append('k', at(2), 'callers', 'caller'),
    edit('k', 'caller', at(2), at(22), 'caller, edited'),
    remove('k', 'removed', at(3), at(23)),
    append('k', at(5), 'moved', 'moved'),
    edit('k', 'moved', at(5), at(24), 'moved, edited'),
    secret === 'digest is stored' ? encrypted : quoted(encrypted),
    clear('cleared', at(30)),
    append('cleared', at(32), 'after'),
    set('register', at(7), 'value'),
  ]
}

const golden = new GoldenData('unplaced')

async function expectUpToDate(
  backend: ReplicaBackend,
  more: readonly Operation[] = [],
  secret: Secret = 'digest is stored',
) {
  const today = new MemoryBackend()
  await today.connect()
  await today.apply([...expectedOperations(secret), ...more])
  expect(await contents(backend, secret)).toEqual(await contents(today, secret))
  expect(await backend.digest(WHOLE_RANGE, 16)).toEqual(await today.digest(WHOLE_RANGE, 16))
  for (const key of ['k', 'cleared']) {
    const { count } = await today.countItems(key)
    expect((await backend.countItems(key)).count).toBe(count)
  }
  const again = [append('cleared', at(40), 'x', 'ghost'), append('cleared', at(41), 'y', 'gone')]
  const { applied } = await backend.apply(again, { decide: true, unique: true })
  expect(applied.map(({ outcome }) => outcome)).toEqual(['applied', 'applied'])
  expect(await backend.getRange('cleared', 0, 9)).toEqual(['after', 'x', 'y'])
}

function quoted<T extends Operation>(operation: T): Operation {
  if (!('value' in operation)) return operation
  return { ...operation, value: JSON.stringify(operation.value) as JsonText }
}

function unquoted(operation: Operation): Operation {
  if (!('value' in operation) || !operation.value.startsWith('"et1.')) return operation
  return { ...operation, value: JSON.parse(operation.value) as JsonText }
}

/** Every operation, and whether its stored digest fits. */
async function contents(backend: ReplicaBackend, secret: Secret): Promise<string[]> {
  const found: string[] = []
  for await (const { operation: stored, digest } of storedOperations(backend, WHOLE_RANGE)) {
    const operation = secret === 'digest is stored' ? unquoted(stored) : stored
    expect(digest).toBe(digestOf(operation))
    found.push(JSON.stringify(operation, Object.keys(operation).sort()))
  }
  return found.sort(compareText)
}

test('a SQLite file', async () => {
  const backend = new SqliteBackend({ path: golden.sqliteFile() })
  await backend.connect()
  onTestFinished(() => backend.disconnect())
  await expectUpToDate(backend)
})

test.skipIf(postgresUrl === undefined)('a PostgreSQL schema', async () => {
  await expectUpToDate(await openPostgres(await golden.postgresSchema()))
})

test.runIf(hasRedis)('a Redis database', async () => {
  const { backend } = await golden.redisDatabase()
  // What counts its parts was not there either: a pass makes it.
  await backend.mendParts()
  await expectUpToDate(backend)
})

test.each([
  ['in versions', 's3.json', [], 'digest is made from the text'],
  ['in segments', 's3-segments.json', MANY, 'digest is stored'],
] as const)('a bucket with values %s', async (_where, name, more, secret) => {
  const bucket = await golden.bucket(name)
  await expectUpToDate(await bucket.open(), more, secret)
})

test('documents of a plain backend', async () => {
  const backend = plainAdapter(
    new MapBackend(new Map(golden.json<[string, string][]>('plain.json'))),
  )
  await backend.connect()
  onTestFinished(() => backend.disconnect())
  await expectUpToDate(backend, [], 'digest is made from the text')
})

// Goal: what was stored while digests were made of values whole opens, with the digests that it would have
// now: nothing in it is made of an encrypted value any more, and a value that was damaged is still found.
// Method: every engine's data was written once by that release, from one list of operations: plain ones,
// and encrypted ones whose envelopes had the digest too. Each is compared with a database of today.
import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { plainAdapter } from '../../src/backend/plain-adapter.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import {
  decodeObject,
  encodeObject,
  type ObjectKind,
} from '../../src/backend/s3/key/object-format.ts'
import { SqliteBackend } from '../../src/backend/sqlite/index.ts'
import { storedOperations } from '../../src/backend/stored-operations.ts'
import { digestOf } from '../../src/core/digest.ts'
import { renewedEnvelope } from '../../src/core/encryption/envelope.ts'
import { ValueCipher } from '../../src/core/encryption/value-cipher.ts'
import type { Operation } from '../../src/core/operation.ts'
import { compareText } from '../../src/core/text.ts'
import { damageSqlite } from '../../simulator/damage-sqlite.ts'
import { append, clear, edit, remove, set, stampAt } from '../../src/testing/backend/operations.ts'
import { MapBackend } from '../../src/testing/map-backend.ts'
import type { S3Server } from '../../simulator/s3/s3-server.ts'
import { damagePostgres } from '../support/damage.ts'
import { dumpBucket, dumpPostgres, dumpRedis } from '../support/dump.ts'
import { GoldenData } from '../support/golden-data.ts'
import { openPostgres, postgresUrl } from '../support/postgres-backend.ts'
import { hasRedis } from '../support/redis-server.ts'
import { testBucket } from '../support/s3-bucket.ts'

const cipher = new ValueCipher({ keys: [{ id: 'k1', secret: Buffer.alloc(32, 7) }] })

const at = (seconds: number) => stampAt(seconds * 1_000)
const SPOILED = append('k', at(4), 'spoiled')
const PLAIN: readonly Operation[] = [
  append('k', at(1), 'own'),
  edit('k', at(1), at(1), at(21), 'own, edited'),
  append('k', at(2), 'callers', 'caller'),
  append('k', at(3), 'removed', 'removed'),
  remove('k', 'removed', at(3), at(23)),
  SPOILED,
  clear('cleared', at(30)),
  append('cleared', at(32), 'after'),
  set('register', at(7), 'value'),
  append('ключ 😀', at(8), 'plain', 'é😀'),
]
const ENCRYPTED: readonly Operation[] = [
  append('ключ 😀', at(9), 'encrypted', 'ш😀'),
  edit('ключ 😀', 'ш😀', at(9), at(26), 'encrypted, edited'),
  append('k', at(10), 'encrypted too'),
  edit('k', 'secret', at(6), at(27), 'an edit alone'),
  set('vault', at(11), 'encrypted register'),
]
/** Enough in one key that an S3 bucket has its values in segments. */
const MANY = Array.from({ length: 300 }, (_, i) => append('k', stampAt(100_000 + i), i))

const golden = new GoldenData('digested')

async function operationsOfToday(): Promise<readonly Operation[]> {
  await cipher.ready()
  return [...PLAIN, ...ENCRYPTED.map((operation) => cipher.encrypt(operation))]
}

async function today(more: readonly Operation[] = []): Promise<ReplicaBackend> {
  const backend = new MemoryBackend()
  await backend.connect()
  await backend.apply([...(await operationsOfToday()), ...more])
  return backend
}

/** Every operation, whether its digest fits, and the text of an envelope. */
async function contents(backend: ReplicaBackend): Promise<string[]> {
  const found: string[] = []
  for await (const { operation, digest } of storedOperations(backend, WHOLE_RANGE)) {
    const fits = digest === digestOf(operation)
    found.push(`${JSON.stringify(operation, Object.keys(operation).sort())} ${fits}`)
  }
  return found.sort(compareText)
}

async function expectUpToDate(backend: ReplicaBackend, more: readonly Operation[] = []) {
  const expected = await today(more)
  const renewed = (await contents(backend)).map((text) =>
    text.replace(/et1\.[^"]*/, renewedEnvelope),
  )
  expect(renewed).toEqual(await contents(expected))
  for (const buckets of [1, 16]) {
    const digests = await expected.digest(WHOLE_RANGE, buckets)
    expect(await backend.digest(WHOLE_RANGE, buckets)).toEqual(digests)
  }
}

/** Where only what is written is brought up to date. */
async function expectRenewedByWrites(backend: ReplicaBackend, more: readonly Operation[] = []) {
  const later = ['k', 'ключ 😀', 'vault'].map((key, i) => append(key, at(50 + i), 'later'))
  for (const operation of later) await backend.apply([operation])
  const expected = await today([...more, ...later])
  expect(await contents(backend)).toEqual(await contents(expected))
  expect(await backend.digest(WHOLE_RANGE, 16)).toEqual(await expected.digest(WHOLE_RANGE, 16))
}

async function openFile(path: string): Promise<SqliteBackend> {
  const backend = new SqliteBackend({ path })
  await backend.connect()
  onTestFinished(() => backend.disconnect())
  return backend
}

/** Of all rows that it alone is spoiled, and that it counts as before. */
async function expectSpoiled(backend: ReplicaBackend): Promise<void> {
  const misfits = (await contents(backend)).filter((row) => row.endsWith('false'))
  expect(misfits).toEqual([expect.stringMatching(/harm/)])
  const digests = await (await today()).digest(WHOLE_RANGE, 16)
  expect(await backend.digest(WHOLE_RANGE, 16)).toEqual(digests)
}

test('a SQLite file', async () => {
  const path = golden.sqliteFile()
  const backend = await openFile(path)
  await expectUpToDate(backend)
  await backend.purge()
  await backend.disconnect()
  expect(readFileSync(path).includes('et2.')).toBe(true)
  expect(readFileSync(path).includes('et1.')).toBe(false)
})

test('damage in a SQLite file is still found', async () => {
  const path = golden.sqliteFile()
  await damageSqlite(path, { key: 'k', part: 'appended', id: SPOILED.id }, '"harm"')
  await expectSpoiled(await openFile(path))
})

test.skipIf(postgresUrl === undefined)('a PostgreSQL schema', async () => {
  const options = await golden.postgresSchema()
  await expectUpToDate(await openPostgres(options))
  expect((await dumpPostgres(options)).includes('et1.')).toBe(false)
})

test.skipIf(postgresUrl === undefined)('damage in a PostgreSQL schema is still found', async () => {
  const options = await golden.postgresSchema()
  await damagePostgres(options, { key: 'k', part: 'appended', id: SPOILED.id }, '"harm"')
  await expectSpoiled(await openPostgres(options))
})

test.runIf(hasRedis)('a Redis database', async () => {
  const { server, prefix, backend } = await golden.redisDatabase()
  await expectUpToDate(backend)
  for await (const part of backend.checkParts()) expect(part).toBeUndefined()
  expect((await dumpRedis(server.url, prefix)).includes('et1.')).toBe(false)
})

test.each([
  ['in versions', 's3.json', []],
  ['in segments', 's3-segments.json', MANY],
] as const)('a bucket with values %s', async (_where, name, more) => {
  const bucket = await golden.bucket(name)
  await expectUpToDate(await bucket.open(), more)
  await expectRenewedByWrites(await bucket.open(), more)
  const dump = dumpBucket(bucket.server, bucket.options.prefix!)
  expect(dump.includes('et2.')).toBe(true)
  expect(dump.includes('et1.')).toBe(false)
})

test('a bucket with segments that a compaction would keep', async () => {
  const bucket = await testBucket()
  const large = ['one', 'two', 'three'].map((id, i) =>
    cipher.encrypt(append('k', at(200 + i), id.repeat(20_000), id)),
  )
  await (await bucket.open()).apply([...(await operationsOfToday()), ...large])
  asEarlierRelease(bucket.server)
  const stolen = (): Buffer => dumpBucket(bucket.server, bucket.options.prefix!)
  expect(stolen().includes('et2.')).toBe(false)
  await expectRenewedByWrites(await bucket.open(), large)
  expect(stolen().includes('et1.')).toBe(false)
})

/** Writes each object anew as that release had it, with a digest in each envelope. */
function asEarlierRelease(server: S3Server): void {
  const store = server.store()
  for (const [name, { body }] of store.objects) {
    // The name of a mark says all of it.
    if (body.byteLength === 0) continue
    const [, , kind, encoding] = body.toString('latin1', 0, body.indexOf('\n')).split(' ')
    const text = JSON.stringify(decodeObject(kind as ObjectKind, name, body))
      .replaceAll(/et2\.(k1\.[0-9a-f]{8})\./g, 'et1.$1.0123456789ab.')
      .replaceAll('"rule":3', '"rule":2')
    const earlier = encodeObject(kind as ObjectKind, JSON.parse(text), encoding === 'gzip')
    store.put(name, earlier, Date.now())
  }
}

test('documents of a plain backend', async () => {
  const documents = new Map(golden.json<[string, string][]>('plain.json'))
  const backend = plainAdapter(new MapBackend(documents))
  await backend.connect()
  onTestFinished(() => backend.disconnect())
  await expectUpToDate(backend)
  await expectRenewedByWrites(backend)
  expect(JSON.stringify([...documents])).not.toContain('et1.')
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { nodeEnv } from '../../core/node-env.ts'
import { ValueCipher } from '../../core/encryption/value-cipher.ts'
import { damageSqlite } from '../../../simulator/damage-sqlite.ts'
import { collect } from '../../testing/backend/context.ts'
import { DurableMemoryBackend } from '../../testing/durable-memory-backend.ts'
import { replicaBackendConformance } from '../../testing/replica-backend-conformance.ts'
import { WHOLE_RANGE } from '../buckets.ts'
import type { ReplicaBackend } from '../replica-backend.ts'
import { SqliteBackend } from '../sqlite/backend.ts'
import { EncryptedBackend } from './encrypted-backend.ts'

const KEYS = [{ id: 'k1', secret: Buffer.alloc(32, 7) }]
const directory = mkdtempSync(join(tmpdir(), 'everthread-encrypted-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const paths = new WeakMap<ReplicaBackend, string>()
let files = 0

replicaBackendConformance({
  name: 'encrypted, in memory',
  open: async () => await encrypted(new DurableMemoryBackend()),
  capabilities: { propertyRuns: 100 },
})

replicaBackendConformance({
  name: 'encrypted, in a SQLite file',
  open: async () => await openFile(join(directory, `${++files}.db`)),
  reopen: async (backend) => await openFile(paths.get(backend)!),
  // It also puts a plain value in the place of an encrypted one.
  damage: async (backend, value) => await damageSqlite(paths.get(backend)!, value),
  capabilities: { persistent: true, propertyRuns: 10 },
})

test('a value that was moved to another key ends a scan, and is empty in one with digests', async () => {
  const inner = new DurableMemoryBackend()
  const backend = await encrypted(inner)
  await backend.set('from', 'said')
  const { register } = await inner.readRegister('from')
  await inner.apply([{ kind: 'set', key: 'to', ...register! }])
  await expect(collect(backend.scan(WHOLE_RANGE))).rejects.toMatchObject({ code: 'CORRUPT' })
  const stored = await collect(backend.scanStored(WHOLE_RANGE))
  expect(stored.map(({ operation }) => operation)).toMatchObject([{ key: 'from' }, { value: '' }])
})

async function openFile(path: string): Promise<EncryptedBackend> {
  const backend = await encrypted(new SqliteBackend({ path }))
  paths.set(backend, path)
  return backend
}

async function encrypted(inner: ReplicaBackend): Promise<EncryptedBackend> {
  const backend = new EncryptedBackend(inner, new ValueCipher({ keys: KEYS }), nodeEnv())
  await backend.connect()
  return backend
}

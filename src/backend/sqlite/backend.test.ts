import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { damageSqlite } from '../../../simulator/damage-sqlite.ts'
import { replicaBackendConformance } from '../../testing/replica-backend-conformance.ts'
import { SqliteBackend } from './backend.ts'

const directory = mkdtempSync(join(tmpdir(), 'everthread-sqlite-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const paths = new Map<unknown, string>()
let files = 0

replicaBackendConformance({
  name: 'sqlite file',
  open: async () => await openFile(join(directory, `${++files}.db`)),
  reopen: async (backend) => await openFile(paths.get(backend)!),
  damage: async (backend, value) => await damageSqlite(paths.get(backend)!, value),
  capabilities: { persistent: true, search: true, propertyRuns: 15 },
})

replicaBackendConformance({
  name: 'sqlite in memory',
  open: async () => {
    const backend = new SqliteBackend({ path: ':memory:' })
    await backend.connect()
    return backend
  },
  capabilities: { propertyRuns: 150 },
})

async function openFile(path: string): Promise<SqliteBackend> {
  const backend = new SqliteBackend({ path, search: true })
  paths.set(backend, path)
  await backend.connect()
  return backend
}

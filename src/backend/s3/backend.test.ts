import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll } from 'vitest'
import { replicaBackendConformance } from '../../testing/replica-backend-conformance.ts'
import { S3Server } from '../../../simulator/s3/s3-server.ts'
import { S3Backend } from './backend.ts'
import type { S3Options } from './protocol/options.ts'

const server = new S3Server()
const chosen = new WeakMap<object, S3Options>()

beforeAll(() => server.start())
afterAll(() => server.stop())

async function open(options: S3Options): Promise<S3Backend> {
  const backend = new S3Backend(options)
  chosen.set(backend, options)
  await backend.connect()
  return backend
}

replicaBackendConformance({
  name: 's3',
  open: () =>
    open({
      bucket: 'bucket',
      prefix: `test-${randomBytes(6).toString('hex')}`,
      endpoint: server.endpoint,
      credentials: server.keys,
    }),
  reopen: (backend) => open(chosen.get(backend)!),
  capabilities: { persistent: true, conditions: 'key', propertyRuns: 20 },
})

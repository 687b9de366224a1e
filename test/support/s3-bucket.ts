import { randomBytes } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { S3Backend, type S3Options } from '../../src/backend/s3/index.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Env } from '../../src/core/env.ts'
import { S3Server, type S3ServerOptions } from '../../simulator/s3/s3-server.ts'

/** A bucket of this test's own, and the processes that use it. */
export interface TestBucket {
  readonly server: S3Server
  readonly options: S3Options
  /** Another process: it remembers nothing of what others did. */
  open(more?: Partial<S3Options>, env?: Env): Promise<S3Backend>
}

/** Starts a server for this test; both end with it. */
export async function testBucket(options: S3ServerOptions = {}): Promise<TestBucket> {
  const server = new S3Server(options)
  await server.start()
  onTestFinished(() => server.stop())
  const own: S3Options = {
    bucket: 'bucket',
    prefix: `test-${randomBytes(4).toString('hex')}`,
    endpoint: server.endpoint,
    credentials: server.keys,
    requestTimeoutMs: 2_000,
  }
  return {
    server,
    options: own,
    open: async (more = {}, env = nodeEnv()) => {
      const backend = new S3Backend({ ...own, ...more }, env)
      await backend.connect()
      onTestFinished(() => backend.disconnect())
      return backend
    },
  }
}

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../../core/node-env.ts'
import { S3Server, type S3Fault, type S3Request } from '../../../../simulator/s3/s3-server.ts'
import { S3Client, type S3Call } from './client.ts'
import { MULTIPART_BYTES_MIN } from './limits.ts'
import { resolveS3Options, type S3Options } from './options.ts'

const server = new S3Server()
beforeAll(() => server.start())
afterAll(() => server.stop())

const CALL: S3Call = { signal: new AbortController().signal }

function setup(
  fault: (request: S3Request) => S3Fault | undefined,
  more: Partial<S3Options> = {},
): S3Client {
  server.fault = fault
  onTestFinished(() => void (server.fault = () => undefined))
  const { endpoint, keys: credentials } = server
  const options = { bucket: 'bucket', endpoint, credentials, retriesMax: 1, ...more }
  return new S3Client(nodeEnv(), resolveS3Options(options, {}))
}

const PAGES: readonly [string, string, (client: S3Client) => Promise<unknown>][] = [
  ['a list', 'none', (client) => client.list('', {}, CALL)],
  ['a delete of several', 'unknown', (client) => client.delete(['a', 'b'], CALL)],
  [
    'the begin of an upload',
    'unknown',
    (client) => client.put('long', Buffer.alloc(MULTIPART_BYTES_MIN + 1), CALL),
  ],
]

test.each(PAGES)('a page of a proxy is no answer to %s', async (_what, effect, run) => {
  const client = setup(() => 'foreign-page', { multipartBytes: MULTIPART_BYTES_MIN })
  await expect(run(client)).rejects.toMatchObject({ code: 'UNAVAILABLE', effect })
})

test('a page of a proxy does not end an upload', async () => {
  const client = setup(
    ({ query, method }) =>
      method === 'POST' && query.has('uploadId') ? 'foreign-page' : undefined,
    { multipartBytes: MULTIPART_BYTES_MIN },
  )
  const put = client.put('long', Buffer.alloc(MULTIPART_BYTES_MIN + 1), CALL)
  await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'unknown' })
})

test('a write whose answer was lost is not reported as undone when what stands cannot be read', async () => {
  let puts = 0
  const client = setup(({ method }) => {
    if (method === 'PUT') return puts++ === 0 ? 'lost-reply' : undefined
    return 'internal-error'
  })
  const create = client.create('made once', Buffer.from('ours'), CALL)
  await expect(create).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'unknown' })
})

test('a page of a proxy does not say that the bucket keeps no versions', async () => {
  const client = setup(() => 'foreign-page')
  expect(await client.keepsVersions(CALL)).toBeUndefined()
})

test('a write that may have been done is not reported as undone when no credentials come', async () => {
  let asked = 0
  const client = setup(({ method }) => (method === 'PUT' ? 'internal-error' : undefined), {
    credentials: async () => {
      if (asked++ > 0) return undefined as never
      // The next request asks for new ones.
      return { ...server.keys, expiresAt: Date.now() }
    },
  })
  await expect(client.put('x', Buffer.from('y'), CALL)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    effect: 'unknown',
  })
  expect(server.store().objects.has('everthread/x')).toBe(true)
})

test('credentials that never come end with the time of a request, and nothing was sent', async () => {
  const credentials = (): Promise<never> => new Promise<never>(() => {})
  const client = setup(() => undefined, { credentials, requestTimeoutMs: 20 })
  const put = client.put('x', Buffer.from('y'), CALL)
  await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
})

test('an empty list that says there are more is no answer: it would hide what stands behind it', async () => {
  const list = '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>'
  const other = createServer((_request, response) => void response.end(list))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const { port } = other.address() as AddressInfo
  const client = setup(() => undefined, { endpoint: `http://127.0.0.1:${port}` })
  const refused = { code: 'UNAVAILABLE', effect: 'none' }
  await expect(client.list('k/', { limit: 1 }, CALL)).rejects.toMatchObject(refused)
  await expect(client.listAll('k/', CALL)).rejects.toMatchObject(refused)
})

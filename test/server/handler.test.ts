// Goal: who may do what, and how much, is decided before anything is done; errors tell what they may and no more.
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { createHandler, type HandlerOptions } from '../../src/server/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

const ALICE = 'sk-alice-0123456789'
const BOB = 'sk-bob-0123456789'
const READER = 'sk-reader-0123456789'
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex')
const KEYS = [
  { sha256: sha256(ALICE), tenant: 'alice' },
  { sha256: sha256(BOB), tenant: 'bob' },
  { sha256: sha256(READER), tenant: 'alice', scopes: ['read'] },
] as const

let primary: FaultyBackend
let backup: FaultyBackend
let history: ChatHistory

beforeEach(async () => {
  primary = faultyBackend(new DurableMemoryBackend())
  backup = faultyBackend(new DurableMemoryBackend())
  history = await openChatHistory({ primary, backup, wal: 'memory:' })
})
afterEach(() => history.close())

interface Answer {
  readonly status: number
  readonly type: string
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

function asking(options: HandlerOptions) {
  const handler = createHandler(history, options)
  return async (
    method: string,
    path: string,
    { key, body }: { readonly key?: string; readonly body?: unknown } = {},
  ): Promise<Answer> => {
    const request = new Request(`http://localhost${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const { status, headers, ...response } = await handler(request).then(async (one) => ({
      status: one.status,
      headers: one.headers,
      body: (await one.json()) as Answer['body'],
    }))
    return { status, headers, type: headers.get('content-type') ?? '', ...response }
  }
}

const ITEMS = { items: [{ role: 'user', content: 'hello' }] }

describe('keys', () => {
  test('a key is asked for, and what it may not do is refused', async () => {
    const ask = asking({ keys: KEYS })
    const without = await ask('POST', '/v1/conversations', { body: {} })
    expect(without).toMatchObject({
      status: 401,
      body: { error: { type: 'authentication_error', param: null } },
    })
    expect(without.headers.get('www-authenticate')).toBe('Bearer')
    for (const key of ['sk-nobody', `${ALICE}x`, ALICE.slice(0, -1), 'x'.repeat(10_000)]) {
      expect(await ask('POST', '/v1/conversations', { key, body: {} })).toMatchObject({
        status: 401,
      })
    }
    const reader = await ask('POST', '/v1/conversations', { key: READER, body: {} })
    expect(reader).toMatchObject({ status: 403, body: { error: { type: 'permission_error' } } })
    expect(await history.forTenant('alice').listConversations()).toMatchObject({
      conversations: [],
    })
  })

  test('the tenant is that of the key, whatever the request says', async () => {
    const ask = asking({ keys: KEYS })
    const body = { metadata: { tenant: 'bob' }, ...ITEMS }
    const made = await ask('POST', '/v1/conversations', { key: ALICE, body })
    const path = `/v1/conversations/${made.body['id'] as string}`
    expect(await ask('GET', `${path}?tenant=alice`, { key: BOB })).toMatchObject({ status: 404 })
    expect(await ask('GET', `${path}/items`, { key: BOB })).toMatchObject({ status: 404 })
    expect(await ask('DELETE', path, { key: BOB })).toMatchObject({ status: 404 })
    const items = await ask('GET', `${path}/items`, { key: READER })
    expect(items.body['data']).toHaveLength(1)
  })

  test('an own way to tell who asks is asked once a request', async () => {
    let asked = 0
    const ask = asking({
      authenticate: async (request) => {
        asked++
        return request.headers.has('authorization') ? { tenant: 'alice' } : undefined
      },
    })
    expect(await ask('POST', '/v1/conversations', { body: {} })).toMatchObject({ status: 401 })
    const made = await ask('POST', '/v1/conversations', { key: 'any', body: {} })
    expect([made.status, asked]).toEqual([200, 2])
  })

  test('options that do not say who may ask are refused', () => {
    const wrong: HandlerOptions[] = [
      {},
      { keys: [] },
      { keys: KEYS, auth: 'none' },
      { keys: [{ sha256: 'secret' }] },
      { keys: [{ sha256: sha256(ALICE), scopes: ['all' as never] }] },
      { auth: 'none', basePath: 'chat' },
      { auth: 'none', bodyBytesMax: 1 },
    ]
    for (const options of wrong) {
      expect(() => createHandler(history, options)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error,
      )
    }
  })
})

describe('limits', () => {
  test('a body that is too long, no JSON or no UTF-8 is refused', async () => {
    const ask = asking({ auth: 'none', bodyBytesMax: 2_000 })
    const long = {
      metadata: { text: 'x'.repeat(500) },
      items: [{ role: 'user', content: 'y'.repeat(2_000) }],
    }
    expect(await ask('POST', '/v1/conversations', { body: long })).toMatchObject({ status: 413 })
    expect(await ask('POST', '/v1/conversations', { body: '{' })).toMatchObject({ status: 400 })
    const handler = createHandler(history, { auth: 'none' })
    const bytes = new Uint8Array([0x22, 0xff, 0x22])
    const request = new Request('http://localhost/v1/conversations', {
      method: 'POST',
      body: bytes,
    })
    request.headers.set('content-type', 'application/json; charset=utf-8')
    expect((await handler(request)).status).toBe(400)
  })

  test('a body of a type that a page of another site may send is refused', async () => {
    const handler = createHandler(history, { auth: 'none' })
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
      const headers = { 'content-type': type }
      const init = { method: 'POST', body: '{}', headers }
      const response = await handler(new Request('http://localhost/v1/conversations', init))
      expect(response.status).toBe(415)
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
    }
    const asked = await handler(
      new Request('http://localhost/v1/conversations', { method: 'OPTIONS' }),
    )
    expect(asked.status).toBe(405)
  })

  test.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=x', 'limit'],
    ['order=up', 'order'],
  ])('a page with %s names the parameter', async (query, param) => {
    const ask = asking({ auth: 'none' })
    const made = await ask('POST', '/v1/conversations', { body: {} })
    const path = `/v1/conversations/${made.body['id'] as string}/items?${query}`
    expect(await ask('GET', path)).toMatchObject({ status: 400, body: { error: { param } } })
  })

  test('what is not there and methods that are not are told', async () => {
    const ask = asking({ auth: 'none', basePath: '/chat' })
    expect(await ask('GET', '/v1/conversations/c')).toMatchObject({ status: 404 })
    expect(await ask('GET', '/chat/nothing')).toMatchObject({
      status: 404,
      type: 'application/problem+json',
      body: { status: 404, effect: 'none' },
    })
    expect(await ask('GET', '/chat/v1/conversations/%ff')).toMatchObject({ status: 400 })
    const method = await ask('PATCH', '/chat/v1/conversations/c')
    expect([method.status, method.headers.get('allow')]).toEqual([405, 'GET, POST, DELETE'])
  })

  test('a handler that is read-only answers reads', async () => {
    const ask = asking({ auth: 'none', readOnly: true })
    await history.saveMessage('c', { role: 'user', content: 'hello' })
    expect((await ask('GET', '/v1/conversations/c/items')).body['data']).toHaveLength(1)
    const added = await ask('POST', '/v1/conversations/c/items', { body: ITEMS })
    expect(added.status).toBe(403)
  })
})

describe('an outage', () => {
  test('of one database is not noticed', async () => {
    const ask = asking({ auth: 'none' })
    const made = await ask('POST', '/v1/conversations', { body: ITEMS })
    primary.setMode('refused')
    const path = `/v1/conversations/${made.body['id'] as string}/items`
    expect((await ask('POST', path, { body: ITEMS })).status).toBe(200)
    expect((await ask('GET', path)).body['data']).toHaveLength(2)
    expect((await ask('GET', '/readyz')).status).toBe(200)
    primary.setMode('up')
  })

  test('of both is an error, never an empty conversation, and names no server', async () => {
    const ask = asking({ auth: 'none' })
    const made = await ask('POST', '/v1/conversations', { body: ITEMS })
    primary.setMode('refused')
    backup.setMode('refused')
    const path = `/v1/conversations/${made.body['id'] as string}/items`
    const read = await ask('GET', path)
    expect(read).toMatchObject({
      status: 503,
      body: { error: { code: expect.any(String) as string } },
    })
    expect(read.headers.get('retry-after')).toBe('1')
    expect((await ask('GET', '/livez')).status).toBe(200)
    primary.setMode('up')
    backup.setMode('up')
  })
})

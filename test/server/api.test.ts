// Goal: over HTTP the calls of the library take and answer what they do in a program, and changes are followed
// without missing one. Method: the handler beside the history that it is made of.
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { createHandler, type Handler } from '../../src/server/index.ts'

let history: ChatHistory
let handler: Handler
let ending: AbortController

beforeEach(async () => {
  history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  ending = new AbortController()
  handler = createHandler(history, { auth: 'none', signal: ending.signal, streamsMax: 2 })
})
afterEach(async () => {
  ending.abort()
  await history.close()
})

async function ask(method: string, path: string, body?: unknown): Promise<[number, unknown]> {
  const headers = { 'content-type': 'application/json' }
  const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
  const response = await handler(new Request(`http://localhost/api${path}`, init))
  return [response.status, await response.json()]
}

describe('conversations', () => {
  test('have records that are listed, changed and deleted', async () => {
    const fields = { conversationId: 'c/1', title: 'Rome', owner: 'u', metadata: { a: 1 } }
    expect(await ask('POST', '/conversations', fields)).toMatchObject([200, { durable: false }])
    const path = `/conversations/${encodeURIComponent('c/1')}`
    const [, made] = await ask('GET', path)
    expect(made).toEqual(await history.getConversation('c/1'))
    const stamp = (made as { stamp: string }).stamp
    const changed = await ask('PATCH', `${path}?ifStamp=${stamp}`, {
      title: null,
      metadata: { b: 2 },
    })
    expect(changed[0]).toBe(200)
    const again = await ask('PATCH', `${path}?ifStamp=${stamp}`, { title: 'other' })
    expect(again).toMatchObject([409, { code: 'CONFLICT', effect: 'none', status: 409 }])
    expect(await ask('GET', '/conversations?owner=u&countMessages=true')).toEqual([
      200,
      await history.listConversations({ owner: 'u', countMessages: true }),
    ])
    expect((await ask('DELETE', path))[0]).toBe(200)
    expect(await ask('GET', path)).toMatchObject([404, { code: 'NOT_FOUND' }])
  })

  test('messages are saved, read by pages, replaced and deleted', async () => {
    const messages = Array.from({ length: 7 }, (_, i) => ({
      id: `m${i}`,
      role: 'user',
      content: `message ${i} \u0000 🙂`,
    }))
    const [, saved] = await ask('POST', '/conversations/c/messages', { messages })
    expect((saved as { receipts: object[] }).receipts).toHaveLength(7)
    const [, page] = await ask('GET', '/conversations/c/messages?limit=3')
    expect(page).toEqual(await history.getHistory('c', { limit: 3 }))
    const before = (page as { nextCursor: string }).nextCursor
    const [, older] = await ask('GET', `/conversations/c/messages?limit=3&before=${before}`)
    expect(older).toMatchObject({ messages: [{ id: 'm1' }, { id: 'm2' }, { id: 'm3' }] })
    const put = await ask('PUT', '/conversations/c/messages/m1', { role: 'user', content: 'new' })
    expect(put[0]).toBe(200)
    const [, entry] = await ask('GET', '/conversations/c/messages/m1')
    expect(entry).toEqual(await history.getMessageEntry('c', 'm1'))
    expect((await ask('DELETE', '/conversations/c/messages/m1'))[0]).toBe(200)
    expect(await ask('GET', '/conversations/c/messages/m1')).toMatchObject([404, {}])
    expect(await ask('GET', '/conversations/c/window?maxMessages=2')).toEqual([
      200,
      await history.window('c', { maxMessages: 2 }),
    ])
  })

  test('are forked, cut and searched', async () => {
    await history.saveMessages('c', [
      { id: 'a', role: 'user', content: 'the first word' },
      { id: 'b', role: 'user', content: 'the second word' },
    ])
    expect((await ask('POST', '/conversations/c/forks', { from: 'a', as: 'f' }))[0]).toBe(200)
    expect((await history.getHistory('f')).messages.map(({ id }) => id)).toEqual(['a'])
    expect((await ask('POST', '/conversations/c/truncate', { from: 'b' }))[0]).toBe(200)
    expect((await history.getHistory('c')).messages.map(({ id }) => id)).toEqual(['a'])
    expect(await ask('GET', '/search?text=first&conversationId=c')).toEqual([
      200,
      await history.search({ text: 'first', conversationId: 'c' }),
    ])
  })

  test.each([
    ['GET', '/conversations?limt=1', undefined],
    ['GET', '/conversations?limit=0', undefined],
    ['GET', '/conversations/c/messages?before=x', undefined],
    ['POST', '/conversations', { title: 'no id' }],
    ['POST', '/conversations/c/messages', { messages: [] }],
    ['POST', '/conversations/c/messages', { messages: [{ role: 'nobody', content: 'x' }] }],
    ['POST', '/conversations/c/messages', [1]],
    ['PUT', '/conversations/c/messages/m', []],
  ])('%s %s is refused before any effect', async (method, path, body) => {
    const [status, problem] = await ask(method, path, body)
    expect(status).toBe(400)
    expect(problem).toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
    expect(await history.listConversations()).toMatchObject({ conversations: [] })
  })
})

test('operators see and mend the store', async () => {
  await history.saveMessage('c', { role: 'user', content: 'x' })
  expect(await ask('GET', '/status')).toMatchObject([200, { overall: 'ok' }])
  expect(await ask('POST', '/flush')).toEqual([200, { status: 'ok' }])
  expect(await ask('POST', '/verify?deep=true')).toMatchObject([200, { missingInBackup: 0 }])
  expect(await ask('POST', '/reconcile')).toMatchObject([200, { missingInBackup: 0 }])
  expect(await ask('POST', '/repair')).toMatchObject([200, { damaged: 0 }])
  expect((await ask('POST', '/conversations/c/erase'))[0]).toBe(200)
  expect((await history.getHistory('c')).messages).toEqual([])
  const users = createHandler(history, { authenticate: () => ({}) })
  expect((await users(new Request('http://localhost/api/status'))).status).toBe(403)
})

describe('changes', () => {
  async function follow(path: string, headers: Record<string, string> = {}) {
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const request = new Request(`http://localhost/api${path}`, { headers, signal: stop.signal })
    const response = await handler(request)
    let text = ''
    const reading = (async () => {
      const decoder = new TextDecoder()
      for await (const chunk of response.body!) text += decoder.decode(chunk, { stream: true })
    })()
    const events = () =>
      text
        .split('\n\n')
        .filter((block) => block.includes('data: '))
        .map((block) => ({
          id: /^id: (.*)$/m.exec(block)![1]!,
          event: /^event: (.*)$/m.exec(block)![1]!,
          data: JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as {
            message?: { content: string }
            cursor: string
          },
        }))
    return { response, events, stop, reading, raw: () => text }
  }

  test('are told as they come, and from the last event on after a cut', async () => {
    const first = await follow('/changes?conversationId=c')
    expect(first.response.headers.get('content-type')).toBe('text/event-stream')
    await expect.poll(() => first.events().map(({ event }) => event)).toContain('ready')
    await history.saveMessage('c', { role: 'user', content: 'one' })
    await expect.poll(() => first.events().at(-1)?.data.message?.content).toBe('one')
    expect(first.raw()).toMatch(/^retry: \d+\n\n/)
    first.stop.abort()
    await first.reading
    const { id } = first.events().at(-1)!
    await history.saveMessage('c', { role: 'user', content: 'two' })
    await history.saveMessage('other', { role: 'user', content: 'three' })
    const second = await follow('/changes?conversationId=c', { 'last-event-id': id })
    const contents = () => second.events().flatMap(({ data }) => data.message?.content ?? [])
    await expect.poll(contents).toContain('two')
    expect(contents()).not.toContain('three')
  })

  test('are limited in number, and end when the server does', async () => {
    const streams = [await follow('/changes'), await follow('/changes')]
    expect((await follow('/changes')).response.status).toBe(429)
    streams[0]!.stop.abort()
    await streams[0]!.reading
    const third = await follow('/changes')
    expect(third.response.status).toBe(200)
    ending.abort()
    await Promise.all([streams[1]!.reading, third.reading])
    const refused = await handler(new Request('http://localhost/api/changes?since=nonsense'))
    expect(refused.status).toBe(400)
  })
})

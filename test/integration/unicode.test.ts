// Goal: any text that JavaScript can hold is stored and read back as it is, or refused before any
// effect; no name reaches into another tenant.
// Method: awkward texts as content, field names, ids, conversations and tenants, on PostgreSQL and
// SQLite; each database is read alone, while the other one is refused.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { openChatHistory, type ChatHistory, type NewMessage } from '../../src/index.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { describePostgres, openPostgres } from '../support/postgres-backend.ts'

/** Well-formed texts that have broken some store. */
const NAMES = [
  '%',
  '_',
  'a%b_c',
  ':',
  'a:b',
  '0::c',
  '1:a:b',
  '/',
  '\\',
  '\\\\',
  "'",
  "''; DROP TABLE everthread_items; --",
  '"',
  '`',
  '$1',
  '?',
  '{}',
  '*',
  ' ',
  ' lead and trail ',
  '\n',
  '\t',
  '\u0001',
  '\u007f',
  '\u2028',
  '\ufeff',
  '\uffff',
  '\ue000',
  '😀',
  '👩‍👩‍👧‍👦',
  '𐀀',
  '\u{10ffff}',
  'é',
  'e\u0301',
  'ﬀ',
  'İ',
  'ß',
  'שלום',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'undefined',
  'NaN',
  '-1',
  '0',
  '00000000-0000-7000-8000-000000000000',
]

/** Texts that no database takes as text: as part of a value they are kept, as a name refused. */
const BROKEN = ['\0', 'a\0b', '\ud800', 'a\udc00', '\udc00\ud800', '😀\ud83d']

const TEXTS = [...NAMES, ...BROKEN, '', '\0\ud800', 'x'.repeat(100_000), '😀'.repeat(10_000)]

interface Rig {
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  open(tenant?: string): Promise<ChatHistory>
}

async function rig(): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-unicode-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const primary = faultyBackend(await openPostgres())
  const file = new SqliteBackend({ path: join(directory, 'backup.db') })
  await file.connect()
  onTestFinished(() => file.disconnect())
  const backup = faultyBackend(file)
  return {
    primary,
    backup,
    async open(tenant = '') {
      const wal = `file:${join(directory, 'wal')}`
      const history = await openChatHistory({ primary, backup, wal, tenant })
      onTestFinished(() => history.close())
      return history
    },
  }
}

/** Runs the check against each database alone. */
async function fromEach({ primary, backup }: Rig, check: () => Promise<void>): Promise<void> {
  for (const away of [backup, primary]) {
    away.setMode('refused')
    await check()
    away.setMode('up')
  }
}

async function all(history: ChatHistory, conversationId: string): Promise<unknown[]> {
  const messages: unknown[] = []
  for await (const { createdAt: _, ...message } of history.messages(conversationId)) {
    messages.push(message)
  }
  return messages
}

describePostgres('on PostgreSQL and on SQLite', () => {
  test('every text is read back as it was saved, as content and in every field', async () => {
    const places = await rig()
    const history = await places.open()
    const messages = TEXTS.map((text, i): NewMessage & { id: string } => ({
      id: `m${i}`,
      role: i % 2 === 0 ? 'user' : 'assistant',
      content: i % 3 === 0 ? [{ type: 'text', text }] : text,
      name: text,
      metadata: JSON.parse(`{${JSON.stringify(text)}:{"__proto__":1}}`) as Record<string, unknown>,
      // As from `JSON.parse`: an own field of this name.
      ...(JSON.parse(`{"__proto__":${JSON.stringify(text)}}`) as object),
    }))
    for (const message of messages) await history.saveMessage('c', message)
    await history.flush()
    await fromEach(places, async () => {
      const read = await all(history, 'c')
      expect(read.map((message) => JSON.stringify(message))).toEqual(
        messages.map((message) => JSON.stringify(message)),
      )
      for (const message of read) expect(Object.getPrototypeOf(message)).toBe(Object.prototype)
    })
    expect(({} as Record<string, unknown>)['text']).toBeUndefined()
  })

  test('every well-formed text is an id of its own, found by it and by nothing else', async () => {
    const places = await rig()
    const history = await places.open()
    for (const id of NAMES)
      await history.saveMessage('c', { id, role: 'user', content: `of ${id}` })
    // Again, and with other content: none of them is another's.
    for (const id of NAMES)
      await history.saveMessage('c', { id, role: 'user', content: `of ${id}` })
    await expect(
      history.saveMessage('c', { id: 'e\u0301', role: 'user', content: 'of é' }),
    ).rejects.toMatchObject({ code: 'CONFLICT' })
    await history.flush()
    await fromEach(places, async () => {
      expect(await history.countMessages('c')).toBe(NAMES.length)
      for (const id of NAMES) {
        expect((await history.getMessage('c', id))?.content).toBe(`of ${id}`)
      }
    })
    for (const id of NAMES) await history.deleteMessage('c', id)
    await history.flush()
    await fromEach(places, async () => expect(await history.countMessages('c')).toBe(0))
  })

  test('every well-formed text is a conversation of its own, listed and cleared alone', async () => {
    const places = await rig()
    const history = await places.open()
    for (const name of NAMES) await history.saveMessage(name, { role: 'user', content: name })
    await history.flush()
    const ids = async (): Promise<string[]> =>
      (await history.listConversations({ limit: 1_000 })).conversations.map(
        ({ conversationId }) => conversationId,
      )
    await fromEach(places, async () => {
      expect((await ids()).sort()).toEqual(NAMES.toSorted())
      for (const name of NAMES) {
        expect((await all(history, name)).map((m) => (m as NewMessage).content)).toEqual([name])
      }
    })
    const cleared = NAMES.filter((_, i) => i % 2 === 0)
    for (const name of cleared) await history.clearHistory(name)
    await history.flush()
    await fromEach(places, async () => {
      expect((await ids()).sort()).toEqual(NAMES.filter((_, i) => i % 2 === 1).sort())
    })
  })

  test('broken texts are refused as names before any effect', async () => {
    const places = await rig()
    const history = await places.open()
    const message = { role: 'user', content: 'x' } as const
    const refused = { code: 'INVALID_ARGUMENT', effect: 'none' }
    const before = history.status().wal.entries
    for (const text of [...BROKEN, '']) {
      for (const call of [
        history.saveMessage('c', { ...message, id: text }),
        history.saveMessage(text, message),
        history.saveMessages('c', [message, { ...message, id: text }]),
        history.getHistory(text),
        history.getMessage('c', text),
        history.clearHistory(text),
        history.updateMessage('c', text, message),
        history.deleteMessage('c', text),
        history.countMessages(text),
      ]) {
        await expect(call).rejects.toMatchObject(refused)
      }
      if (text !== '') await expect(places.open(text)).rejects.toMatchObject(refused)
    }
    for (const id of [1, null, {}, ['a']]) {
      const given = { ...message, id } as unknown as NewMessage
      await expect(history.saveMessage('c', given)).rejects.toMatchObject(refused)
    }
    await history.flush()
    expect(history.status().wal.entries).toBe(before)
    expect(places.primary.calls.get('apply') ?? 0).toBe(0)
    await fromEach(places, async () => {
      expect((await history.listConversations()).conversations).toEqual([])
    })
  })

  test('values that cannot be told as JSON are refused before any effect', async () => {
    const places = await rig()
    const history = await places.open()
    const loop: Record<string, unknown> = {}
    loop['loop'] = loop
    const deep = JSON.parse('['.repeat(500) + ']'.repeat(500)) as unknown
    for (const extra of [loop, () => {}, 1n, Symbol('s'), deep, 'x'.repeat(5_000_000)]) {
      const given = { role: 'user', content: 'x', extra } as const
      const refusal = { code: 'INVALID_ARGUMENT', effect: 'none' }
      await expect(history.saveMessage('c', given)).rejects.toMatchObject(refusal)
    }
    await fromEach(places, async () => expect(await history.countMessages('c')).toBe(0))
  })

  test('no tenant reaches another one, whatever tenants and conversations are called', async () => {
    const places = await rig()
    const tenants = ['', 'a', 'a:', 'a:b', '1:a', ':', '0:', '%', '_', 'A', '😀', '__proto__']
    const conversations = ['c', 'b:c', ':c', 'b', '%', '_', '1:a:c', '::', 'a']
    const stores = new Map<string, ChatHistory>()
    for (const tenant of tenants) stores.set(tenant, await places.open(tenant))
    for (const [tenant, history] of stores) {
      for (const conversation of conversations) {
        const content = `${tenant} / ${conversation}`
        await history.saveMessage(conversation, { id: 'same', role: 'user', content })
      }
    }
    const check = async (gone: string): Promise<void> => {
      for (const [tenant, history] of stores) {
        const { conversations: listed } = await history.listConversations({ limit: 1_000 })
        const wanted = tenant === gone ? [] : conversations
        expect(listed.map(({ conversationId }) => conversationId).sort()).toEqual(wanted.toSorted())
        for (const conversation of wanted) {
          const read = await all(history, conversation)
          expect(read).toEqual([
            { id: 'same', role: 'user', content: `${tenant} / ${conversation}` },
          ])
        }
      }
    }
    await Promise.all([...stores.values()].map((history) => history.flush()))
    await fromEach(places, () => check('none'))
    for (const conversation of conversations) await stores.get('a')!.clearHistory(conversation)
    await Promise.all([...stores.values()].map((history) => history.flush()))
    await fromEach(places, () => check('a'))
  })
})

// Goal: content comes back as it was or not at all, and goes with the last message that refers to it; while a
// place is out nothing that may be referred to goes. Method: two stores on the same databases in memory, places
// that are taken away, and races that are forced.
import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import type { ChatHistory } from '../../src/index.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { chunks, cleaned, memory, MIB, picture, pieces, rig } from '../support/content-rig.ts'

test('an erase of the only conversation takes the content with it, everywhere', async () => {
  const { history } = await rig()
  const { ref } = await history.saveContent(randomBytes(2 * MIB))
  await history.saveMessage('a', picture(ref))
  expect(await history.eraseConversation('a')).toMatchObject({ complete: true })
  expect(await chunks(history)).toBe(0)
  await expect(history.saveMessage('a', picture(ref))).rejects.toMatchObject({
    code: 'NOT_FOUND',
    effect: 'none',
  })
})

test('a conversation that refers to it as well keeps it, and so does one that is about to', async () => {
  const { history } = await rig()
  const { ref } = await history.saveContent(Buffer.from('x'))
  await history.saveMessage('a', picture(ref))
  await history.saveMessage('b', picture(ref))
  await history.eraseConversation('a')
  await expect(history.readContent(ref)).resolves.toMatchObject({ size: 1 })
  // Somebody saved it again since: his message is on its way.
  await history.saveContent(Buffer.from('x'))
  await history.eraseConversation('b')
  await history.saveMessage('c', picture(ref))
  await expect(history.readContent(ref)).resolves.toMatchObject({ size: 1 })
})

test('an erase of the tenant takes all contents', async () => {
  const { history } = await rig()
  const { ref } = await history.saveContent(randomBytes(MIB))
  await history.saveMessage('a', picture(ref))
  await history.store.pause(2)
  expect(await history.eraseTenant('')).toMatchObject({ complete: true })
  expect(await history.store.list('chunk/')).toEqual([])
  expect(await history.store.list('content/')).toEqual([])
})

test('one tenant cannot read the content of another', async () => {
  const { history } = await rig()
  const { ref } = await history.saveContent(Buffer.from('x'))
  const other = history.forTenant('other')
  await expect(other.readContent(ref)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(other.saveMessage('a', picture(ref))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('what changes or clears messages leaves the content to the pass', async () => {
  const { history } = await rig()
  const [one, two] = [
    await history.saveContent(Buffer.from('1')),
    await history.saveContent(Buffer.from('2')),
  ]
  await history.saveMessage('a', { id: 'm', ...picture(one.ref) })
  await history.updateMessage('a', 'm', picture(two.ref))
  expect(await cleaned(history)).toBe(1)
  await expect(history.readContent(one.ref)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await history.clearHistory('a')
  expect(await cleaned(history)).toBe(1)
  await expect(history.readContent(two.ref)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a day of grace by default: what was just saved stays', async () => {
  const { history } = await rig()
  const { ref } = await history.saveContent(Buffer.from('x'))
  expect(await history.cleanContent()).toEqual({ contents: 1, removed: 0, unfinished: 0 })
  await expect(history.readContent(ref)).resolves.toMatchObject({ size: 1 })
})

test('what another process refers to stays, also while only its log and the backup have that', async () => {
  const { history, primary, open } = await rig()
  const { ref } = await history.saveContent(Buffer.from('x'))
  await history.flush()
  const other = await open()
  primary.setMode('refused')
  await history.saveMessage('a', picture(ref))
  await other.store.pause(20)
  expect(await other.cleanContent({ graceMs: 0 })).toMatchObject({ removed: 0 })
  expect((await readAll(other, ref)).items.filter((id) => id.startsWith('doom/'))).toEqual([])
  primary.setMode('up')
  await history.flush()
  await eventually(async () => expect(await cleaned(other)).toBe(0))
  expect(Buffer.from(await (await other.readContent(ref)).bytes()).toString()).toBe('x')
})

test('while a place is out an erase leaves the content, and the pass takes it afterwards', async () => {
  const { history, primary } = await rig()
  const { ref } = await history.saveContent(randomBytes(MIB))
  await history.saveMessage('a', picture(ref))
  await history.flush()
  primary.setMode('refused')
  const { complete } = await history.eraseConversation('a', { deadlineMs: 0 })
  expect(complete).toBe(false)
  expect((await history.readContent(ref)).size).toBe(MIB)
  primary.setMode('up')
  await eventually(async () => expect((await history.listErasures())[0]?.complete).toBe(true))
  await eventually(async () => expect(await cleaned(history)).toBe(1))
  expect(await chunks(history)).toBe(0)
})

test('content is saved while a database is out, and is in both when it is back', async () => {
  const { history, primary, backup } = await rig()
  primary.setMode('refused')
  const bytes = randomBytes(3 * MIB)
  const { ref, copies } = await history.saveContent(pieces(bytes, 70_000))
  expect(copies).toEqual(expect.arrayContaining(['backup', 'wal']))
  await history.saveMessage('a', picture(ref))
  primary.setMode('up')
  await history.flush()
  backup.setMode('refused')
  expect(Buffer.compare(await (await history.readContent(ref)).bytes(), bytes)).toBe(0)
})

test.each(['primary', 'backup'] as const)(
  'while the %s is out the pass takes nothing, and marks nothing',
  async (place) => {
    const store = await rig()
    const { history } = store
    const { ref } = await history.saveContent(Buffer.from('x'))
    await history.flush()
    store[place].setMode('refused')
    await history.store.pause(2)
    const code = expect.stringMatching(/UNAVAILABLE|CONNECTION|TIMEOUT/) as unknown
    await expect(history.cleanContent({ graceMs: 0 })).rejects.toMatchObject({ code })
    const { items } = await readAll(history, ref)
    expect(items.filter((id) => id.startsWith('doom/'))).toEqual([])
  },
)

test('a reference that is noted after the mark is refused, and one before it keeps the content', async () => {
  const { history, primary, open } = await rig()
  const other = await open()
  const { ref } = await history.saveContent(Buffer.from('x'))
  await history.flush()
  await history.store.pause(5)
  // Between the mark and the last look another process saves a message: it sees the mark.
  let refused: unknown
  let isBusy = false
  primary.onCall(async (operation) => {
    if (operation !== 'readItems' || isBusy) return
    const { items } = await readAll(other, ref)
    if (!items.some((id) => id.startsWith('doom/'))) return
    isBusy = true
    refused = await other.saveMessage('a', picture(ref)).catch((error: unknown) => error)
  })
  await history.cleanContent({ graceMs: 0 })
  expect(refused).toMatchObject({ code: 'CONFLICT', effect: 'none' })
  // Saved again it is another upload, which stays.
  primary.onCall(() => {})
  const again = await other.saveContent(Buffer.from('x'))
  expect(again).toMatchObject({ ref, isNew: true })
  await other.saveMessage('a', picture(ref))
  expect(await cleaned(history)).toBe(0)
  expect(Buffer.from(await (await history.readContent(ref)).bytes()).toString()).toBe('x')
})

async function readAll(history: ChatHistory, ref: string): Promise<{ items: string[] }> {
  const key = `content/0::${ref.slice('content:'.length)}`
  const { items } = await history.store.readItems({ key, limit: 100, order: 'oldest' })
  return { items: items.map(({ id }) => id) }
}

test('a missing chunk is an error and never a short picture, a changed one too', async () => {
  const { history } = await rig()
  const { ref } = await history.saveContent(randomBytes(2 * MIB))
  const [key] = await history.store.list('chunk/')
  const { items } = await history.store.readItems({ key: key!, limit: 10, order: 'oldest' })
  await history.store.editItem(
    key!,
    items[1]!.id,
    items[1]!.position,
    Buffer.alloc(MIB).toString('base64'),
  )
  const { stream, bytes } = await history.readContent(ref)
  await expect(bytes()).rejects.toMatchObject({ code: 'CORRUPT' })
  await history.store.removeItem(key!, items[1]!.id, items[1]!.position)
  const taken: number[] = []
  const reading = (async () => {
    for await (const chunk of stream()) taken.push(chunk.byteLength)
  })()
  await expect(reading).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('an upload that fails leaves nothing to be seen, and one that is given up too', async () => {
  const { history } = await rig()
  async function* broken(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 9; i++) yield randomBytes(MIB)
    throw new Error('the client went away')
  }
  await expect(history.saveContent(broken())).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await chunks(history)).toBe(0)
  const controller = new AbortController()
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (let i = 0; ; i++) {
      if (i === 6) controller.abort()
      yield randomBytes(MIB)
    }
  }
  const call = history.saveContent(endless(), { signal: controller.signal })
  await expect(call).rejects.toMatchObject({ code: 'TIMEOUT' })
  expect(await chunks(history)).toBe(0)
  expect(await history.store.list('content/')).toEqual([])
})

test('where contents are encrypted, names and backups say nothing of them, and keys rotate', async () => {
  const key = (id: string): { id: string; secret: Uint8Array } => ({ id, secret: randomBytes(32) })
  const [old, young] = [key('old'), key('young')]
  const [first, second] = [await memory(), await memory()]
  const { history } = await rig(() => Promise.resolve(first), {
    backup: second as never,
    encryption: { keys: [old] },
  })
  const bytes = Buffer.from('a picture that can be guessed')
  const { ref } = await history.saveContent(bytes)
  expect(ref).toMatch(/^content:hmac-old-[0-9a-f]{64}$/)
  await history.saveMessage('a', picture(ref))
  await history.flush()
  const text = JSON.stringify(await everything(second))
  expect(text).not.toContain(bytes.toString('base64'))
  expect(text).not.toContain(createHash('sha256').update(bytes).digest('hex'))
  await history.close()
  const { history: later } = await rig(() => Promise.resolve(first), {
    backup: second as never,
    encryption: { keys: [young, old] },
  })
  expect(await later.saveContent(bytes)).toMatchObject({ ref, isNew: false })
  expect(Buffer.compare(await (await later.readContent(ref)).bytes(), bytes)).toBe(0)
  expect((await later.saveContent(Buffer.from('y'))).ref).toMatch(/^content:hmac-young-/)
})

async function everything(backend: ReplicaBackend): Promise<unknown[]> {
  await backend.connect()
  const keys = await backend.list('')
  return await Promise.all(
    keys.map(async (key) => [key, await backend.readItems({ key, limit: 1000, order: 'oldest' })]),
  )
}

test.each([
  [undefined, /^data must be a Uint8Array or a stream of them, got undefined$/],
  ['text', /^data must be/],
  [[1], /^data must give Uint8Arrays, got 1/],
])('%j is refused before any effect', async (data, message) => {
  const { history } = await rig()
  await expect(history.saveContent(data as never)).rejects.toThrow(message)
  expect(await history.store.list('')).toEqual([])
})

test('more than 256 MiB is refused, and leaves nothing', async () => {
  const { history } = await rig()
  const huge = new Uint8Array(256 * MIB + 1)
  await expect(history.saveContent(huge)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    effect: 'none',
  })
  await expect(history.readContent('content:x')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('what is only said is no reference', async () => {
  const { history } = await rig()
  const said = `content:sha256-${'0'.repeat(64)}`
  await history.saveMessage('a', { role: 'user', content: said })
  await history.saveMessage('a', { role: 'user', content: [{ type: 'text', text: said }] })
  await expect(history.saveMessage('a', picture(said))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(await history.countMessages('a')).toBe(2)
})

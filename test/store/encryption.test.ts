// Goal: with encryption no content is in the log or in the backup, everything else is as without it, and
// what was changed, moved or needs another key is refused without a loss.
// Method: files are searched for a word; records are changed and moved past the library.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { STAMP_MAX, STAMP_MIN } from '../../src/core/stamp.ts'
import { digestOf } from '../../src/core/digest.ts'
import { StorageConnectionError } from '../../src/core/errors.ts'
import { encodeJson, type JsonText } from '../../src/core/json.ts'
import type { AppendOperation } from '../../src/core/operation.ts'
import {
  openChatHistory,
  type ChatHistory,
  type ChatHistoryOptions,
  type EncryptionKey,
} from '../../src/index.ts'
import { damageSqlite } from '../../simulator/damage-sqlite.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { filesWith } from '../support/files-with.ts'

const CANARY = 'canary-e1e1'
const SAID = { role: 'user', content: `${CANARY} hello 🙂 \ud800` } as const
const NO_KEY = /needs the encryption key k1; none is given/
const HEALTH = {
  type: 'circuit-breaker',
  config: { circuitOpenDuration: 100, healthCheckInterval: 50 },
} as const

function newKey(id: string): EncryptionKey {
  return { id, secret: randomBytes(32).toString('base64') }
}

interface Rig {
  readonly directory: string
  readonly primary: () => FaultyBackend
  readonly backup: () => FaultyBackend
  readonly open: (
    keys?: readonly EncryptionKey[],
    more?: ChatHistoryOptions,
  ) => Promise<ChatHistory>
  /** The backup as it is stored. */
  readonly raw: () => Promise<ReplicaBackend>
}

async function rig(): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-encryption-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  let [primary, backup]: FaultyBackend[] = []
  return {
    directory,
    primary: () => primary!,
    backup: () => backup!,
    open: async (keys, more = {}) => {
      primary = faultyBackend(new SqliteBackend({ path: join(directory, 'primary.db') }))
      backup = faultyBackend(new SqliteBackend({ path: join(directory, 'backup.db') }))
      const history = await openChatHistory({
        primary,
        backup,
        wal: `file:${join(directory, 'wal')}`,
        health: HEALTH,
        drainTimeout: 200,
        ...(keys && { encryption: { keys } }),
        ...more,
      })
      onTestFinished(() => history.close())
      return history
    },
    raw: async () => await openFile(join(directory, 'backup.db')),
  }
}

async function storedAppends(backend: ReplicaBackend): Promise<AppendOperation[]> {
  const found: AppendOperation[] = []
  for await (const operation of backend.scan({ from: STAMP_MIN, to: STAMP_MAX })) {
    if (operation.kind === 'put' && operation.change === 'append') found.push(operation)
  }
  return found
}

test('contents are in the primary alone, are read back from either, and the two compare as equal', async () => {
  const { directory, primary, open } = await rig()
  const history = await open([newKey('k1')])
  const { id } = await history.saveMessage('c', SAID)
  await history.saveMessage('c', { id: 'mine', ...SAID })
  await history.updateMessage('c', id, { role: 'user', content: `${CANARY} second` })
  await history.store.set('settings', { secret: CANARY })
  await history.flush()
  const found = await filesWith(directory, CANARY)
  expect(found).not.toEqual([])
  expect(found.filter((name) => !name.startsWith('primary.db'))).toEqual([])
  expect(await history.reconcile()).toMatchObject({ differing: 0, missingInBackup: 0, copied: 0 })
  primary().setMode('refused')
  const { messages } = await history.getHistory('c')
  expect(messages.map(({ content }) => content)).toEqual([`${CANARY} second`, SAID.content])
  expect(await history.store.get('settings')).toEqual({ secret: CANARY })
  // Decided by the backup: the same content is no conflict, another one is.
  expect((await history.saveMessage('c', { id: 'mine', ...SAID })).id).toBe('mine')
  await expect(
    history.saveMessage('c', { id: 'mine', role: 'user', content: 'other' }),
  ).rejects.toMatchObject({ code: 'CONFLICT' })
})

test('what is pending while a database is out is encrypted on disk, and arrives', async () => {
  const { directory, primary, open } = await rig()
  const keys = [newKey('k1')]
  const first = await open(keys)
  await first.saveMessage('c', { role: 'user', content: 'before' })
  primary().setMode('refused')
  for (let i = 0; i < 10; i++) await first.saveMessage('c', SAID)
  expect(await filesWith(directory, CANARY)).toEqual([])
  await first.close()
  const second = await open(keys)
  await second.flush()
  expect(await second.countMessages('c')).toBe(11)
  expect((await filesWith(directory, CANARY)).every((name) => name.startsWith('primary.db'))).toBe(
    true,
  )
})

test('a new key in front writes, old ones still read; an id that was saved under the old one is known', async () => {
  const { primary, open, raw } = await rig()
  const [old, next] = [newKey('k1'), newKey('k2')]
  const first = await open([old])
  await first.saveMessage('c', { id: 'a', ...SAID })
  await first.close()
  const second = await open([next, old])
  await second.saveMessage('c', { id: 'b', ...SAID })
  await second.flush()
  const stored = await storedAppends(await raw())
  const keyOf = (id: string): string =>
    /^et2\.(\w+)\./.exec(stored.find((operation) => operation.id === id)!.value)![1]!
  expect([keyOf('a'), keyOf('b')]).toEqual(['k1', 'k2'])
  primary().setMode('refused')
  expect((await second.saveMessage('c', { id: 'a', ...SAID })).id).toBe('a')
  expect((await second.getHistory('c')).messages).toHaveLength(2)
})

test('with a wrong key reads name it and nothing is lost; with the right one all of it is there', async () => {
  const { primary, open } = await rig()
  const right = newKey('k1')
  const first = await open([right])
  await first.saveMessage('c', { role: 'user', content: 'in both' })
  await first.flush()
  primary().setMode('refused')
  await first.saveMessage('c', SAID)
  await first.close()
  for (const [wrong, message] of [
    [newKey('k1'), /another secret than the one given as key k1/],
    [newKey('k9'), /needs the encryption key k1; given are k9/],
  ] as const) {
    const history = await open([wrong])
    primary().setMode('refused')
    const error: unknown = await history.getHistory('c').catch((reason: unknown) => reason)
    expect(describeAll(error)).toMatch(message)
    await history.close()
  }
  const again = await open([right])
  await again.flush()
  expect((await again.getHistory('c')).messages.map(({ content }) => content)).toEqual([
    'in both',
    SAID.content,
  ])
})

test('without the key of a tenant nobody reads what the backup and the log keep of it, and others go on', async () => {
  const [doomed, kept] = [await rig(), await rig()]
  const keys = [newKey('doomed')]
  const history = await doomed.open(keys, { tenant: 'doomed' })
  await history.saveMessage('c', SAID)
  await history.flush()
  await history.close()
  const other = await kept.open([newKey('kept')], { tenant: 'kept' })
  await other.saveMessage('c', SAID)
  // The key is destroyed, the primary's own copy erased: what is left of it is the backup.
  await rm(join(doomed.directory, 'primary.db'))
  expect(await filesWith(doomed.directory, CANARY)).toEqual([])
  const later = await doomed.open([newKey('another')], { tenant: 'doomed' })
  doomed.primary().setMode('refused')
  await expect(later.getHistory('c')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect((await other.getHistory('c')).messages).toHaveLength(1)
})

test('a record that was moved, or changed, is refused, found by a deep look and mended', async () => {
  const { primary, open, raw } = await rig()
  const keys = [newKey('k1')]
  const first = await open(keys)
  await first.saveMessage('a', SAID)
  await first.saveMessage('b', { role: 'user', content: 'other' })
  await first.flush()
  await first.close()
  const backend = await raw()
  const [a, b] = await storedAppends(backend)
  // Past the library: the record of one conversation in the place of the other's, and a flipped bit.
  const flipped = `${a!.value.slice(0, -3)}${a!.value.at(-3) === 'A' ? 'B' : 'A'}${a!.value.slice(-2)}`
  expect(await backend.repair!([{ ...b!, value: a!.value }])).toBe(1)
  expect(await backend.repair!([{ ...a!, value: flipped as JsonText }])).toBe(1)
  const history = await open(keys)
  primary().setMode('refused')
  for (const id of ['a', 'b']) {
    const error: unknown = await history.getHistory(id).catch((reason: unknown) => reason)
    expect(describeAll(error)).toMatch(/changed or moved/)
  }
  primary().setMode('up')
  await expect.poll(async () => (await history.getHistory('a')).messages.length).toBe(1)
  const report = await history.verify({ deep: true })
  expect(report.damaged).toBe(2)
  await history.repair()
  primary().setMode('refused')
  expect((await history.getHistory('a')).messages).toMatchObject([SAID])
  expect((await history.getHistory('b')).messages).toMatchObject([{ content: 'other' }])
})

test('a backup that was filled in plain is read on, and what is new is encrypted', async () => {
  const { directory, primary, open } = await rig()
  const plain = await open()
  await plain.saveMessage('c', { role: 'user', content: 'plain' })
  await plain.close()
  const history = await open([newKey('k1')])
  await history.saveMessage('c', SAID)
  await history.flush()
  expect((await filesWith(directory, CANARY)).every((name) => name.startsWith('primary.db'))).toBe(
    true,
  )
  primary().setMode('refused')
  expect((await history.getHistory('c')).messages).toMatchObject([{ content: 'plain' }, SAID])
})

test('keys that cannot be had or used keep the store from opening, and are never quoted', async () => {
  const { open } = await rig()
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [[], /at least one key/],
    [[{ id: 'k', secret: 'short-secret' }], /encryption\.keys\[0\]\.secret must be 32 bytes/],
    [[{ id: 'a.b', secret: randomBytes(32) }], /encryption\.keys\[0\]\.id/],
    [[newKey('k'), newKey('k')], /different ids/],
    ['no-colon-short-secret', /key 1 must be id:base64/],
  ]
  for (const [keys, message] of bad) {
    const error: unknown = await open(undefined, { encryption: { keys } as never }).catch(
      (reason: unknown) => reason,
    )
    expect(String(error)).toMatch(message)
    expect(String(error)).not.toContain('short-secret')
  }
  const service = { keys: () => Promise.reject(new Error('the service is away')) }
  await expect(open(undefined, { encryption: service })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  })
  const text = `k1:${randomBytes(32).toString('base64')}\nk0:${randomBytes(32).toString('base64')}\n`
  const history = await open(undefined, {
    encryption: { keys: () => Promise.resolve([newKey('k')]) },
  })
  await history.close()
  const { overall, places } = (await open(undefined, { encryption: { keys: text } })).status()
  expect([overall, places.backup.type]).toEqual(['ok', 'sqlite'])
})

/** What a call fails with; empty where it does not. */
async function describeFailure(call: Promise<unknown>): Promise<string> {
  return await call.then(() => '', describeAll)
}

/** All messages of an error and its causes. */
function describeAll(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const inner = error instanceof AggregateError ? error.errors : []
  return [error.message, ...inner.map(describeAll), describeAll(error.cause ?? '')].join('\n')
}

/** How an envelope begins today, and in the release before. */
const HEADS = ['et2.k1.01234567.', 'et1.k1.01234567.0123456789ab.']

test.each(HEADS)(
  'a plain value in the form of an envelope is encrypted like any other, and holds nothing up: %s',
  async (head) => {
    const { directory, primary, open, raw } = await rig()
    const history = await open([newKey('k1')])
    const like = `${head}${Buffer.alloc(40, CANARY).toString('base64url')}`
    await history.store.set('like', like)
    await history.store.set('behind', CANARY)
    await history.flush()
    expect((await filesWith(directory, like)).every((name) => name.startsWith('primary.db'))).toBe(
      true,
    )
    expect((await (await raw()).readRegister('like')).register?.value).not.toContain(like)
    expect(await history.reconcile()).toMatchObject({ differing: 0, missingInBackup: 0, copied: 0 })
    primary().setMode('refused')
    expect(await history.store.get('like')).toBe(like)
    expect(await history.store.get('behind')).toBe(CANARY)
  },
)

test.each(HEADS)(
  'without encryption a value in the form of an envelope has the digest of its own: %s',
  async (head) => {
    const { open } = await rig()
    const history = await open()
    const values = ['AAAA', 'BBBB'].map((tail) => `${head}${tail.repeat(20)}`)
    const digests = values.map((value) =>
      digestOf({ kind: 'set', key: 'k', value: encodeJson(value), stamp: STAMP_MIN }),
    )
    expect(digests[0]).not.toBe(digests[1])
    await history.store.set('k', values[0])
    expect(await history.store.get('k')).toBe(values[0])
  },
)

test('plain primary and encrypted backup compare as equal: switched on, rotated, by processes of either kind', async () => {
  const { open } = await rig()
  const [old, next] = [newKey('k1'), newKey('k2')]
  const expectEqual = async (history: ChatHistory): Promise<void> => {
    await history.flush()
    const equal = {
      missingInPrimary: 0,
      missingInBackup: 0,
      differing: 0,
      conflicts: 0,
      damaged: 0,
    }
    expect(await history.verify({ deep: true })).toMatchObject(equal)
    expect(await history.reconcile()).toMatchObject({ ...equal, copied: 0, rowsRead: 0 })
  }
  const write = async (history: ChatHistory, content: string): Promise<void> => {
    const { id } = await history.saveMessage('c', { role: 'user', content })
    await history.updateMessage('c', id, { role: 'user', content: `${content}, edited` })
    await history.store.set('settings', content)
    const removed = await history.saveMessage('c', { role: 'user', content: 'removed' })
    await history.deleteMessage('c', removed.id)
    await expectEqual(history)
  }
  const plain = await open()
  await write(plain, 'plain')
  // One process has been given the key, and the other one not yet.
  const encrypted = await open([old])
  await write(encrypted, 'encrypted')
  await write(plain, 'plain, beside it')
  await expectEqual(encrypted)
  await plain.close()
  await encrypted.close()
  const rotated = await open([next, old])
  await write(rotated, 'rotated')
  expect(await rotated.countMessages('c')).toBe(4)
})

test('a damaged value of the plain primary is found, and mended from the encrypted backup', async () => {
  const { directory, open } = await rig()
  const keys = [newKey('k1')]
  const history = await open(keys)
  const { id } = await history.saveMessage('c', SAID)
  await history.flush()
  await history.close()
  const [stored] = await storedAppends(await openFile(join(directory, 'primary.db')))
  const harm = { key: stored!.key, part: 'appended', id } as const
  await damageSqlite(join(directory, 'primary.db'), harm)
  const later = await open(keys)
  expect(await later.verify()).toMatchObject({ differing: 0, damaged: 0 })
  expect(await later.verify({ deep: true })).toMatchObject({
    damaged: 1,
    damagedRows: [{ place: 'primary', id }],
  })
  expect(await later.repair()).toMatchObject({ damaged: 1, repaired: 1 })
  expect((await later.getHistory('c')).messages).toMatchObject([SAID])
})

async function openFile(path: string): Promise<ReplicaBackend> {
  const backend = new SqliteBackend({ path })
  await backend.connect()
  onTestFinished(() => backend.disconnect())
  return backend
}

test('a process without keys leaves what is encrypted in the log for one that has them', async () => {
  const { directory, primary, open } = await rig()
  const keys = [newKey('k1')]
  const first = await open(keys)
  primary().setMode('refused')
  await first.saveMessage('c', SAID)
  await first.close()
  const keyless = await open()
  await keyless.saveMessage('other', SAID)
  expect(await describeFailure(keyless.getHistory('c'))).toMatch(NO_KEY)
  await keyless.close()
  expect(await filesWith(directory, 'et2.k1')).not.toContain('primary.db')
  const again = await open(keys)
  await again.flush()
  expect((await again.getHistory('c')).messages).toHaveLength(1)
})

test('a process without keys does not take what is encrypted for damage, and writes nothing over it', async () => {
  const { primary, open, raw } = await rig()
  const history = await open([newKey('k1')])
  await history.saveMessage('c', { id: 'mine', ...SAID })
  await history.store.set('settings', { secret: CANARY })
  await history.flush()
  await history.close()
  const keyless = await open()
  // The backup answers, and the primary is back when both are asked what they have.
  const isOnce = new Set(['readItems', 'readRegister'])
  primary().onCall((operation) => {
    if (isOnce.delete(operation)) throw new StorageConnectionError('faulty', 'refused once')
  })
  await describeFailure(keyless.getHistory('c'))
  await describeFailure(keyless.store.get('settings'))
  expect(isOnce.size).toBe(0)
  primary().setMode('refused')
  expect(await describeFailure(keyless.getHistory('c'))).toMatch(NO_KEY)
  expect(await describeFailure(keyless.store.get('settings'))).toMatch(NO_KEY)
  const backup = await raw()
  expect((await storedAppends(backup)).map(({ value }) => value.slice(0, 6))).toEqual(['et2.k1'])
  expect((await backup.readRegister('settings')).register?.value).toMatch(/^et2\.k1/)
})

test('a pass of a process without keys copies nothing encrypted into the primary, and says so', async () => {
  const { directory, open } = await rig()
  const keys = [newKey('k1')]
  const history = await open(keys)
  await history.saveMessage('c', { id: 'mine', ...SAID })
  await history.store.set('settings', { secret: CANARY })
  await history.flush()
  await history.close()
  for (const end of ['', '-wal', '-shm']) {
    await rm(join(directory, `primary.db${end}`), { force: true })
  }
  const keyless = await open()
  expect(await keyless.reconcile()).toMatchObject({ copied: 0, rejected: 2 })
  expect(await keyless.repair()).toMatchObject({ copied: 0, rejected: 2, repaired: 0 })
  await keyless.close()
  expect(await filesWith(directory, 'et2.k1')).not.toContain('primary.db')
  const again = await open(keys)
  await again.reconcile()
  const equal = { compared: 2, missingInPrimary: 0, differing: 0, damaged: 0 }
  expect(await again.verify({ deep: true })).toMatchObject(equal)
  expect((await again.getHistory('c')).messages).toMatchObject([SAID])
})

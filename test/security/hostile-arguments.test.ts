// Goal: whatever a caller hands in, a public call rejects with a StorageError and nothing else.
// Method: each argument of each method, and each field of one, is replaced by each of a list of bad
// values in turn. A bad value may be good for a call: then it resolves.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  ChatHistory,
  isStorageError,
  openChatHistory,
  StrategicStorageManager,
} from '../../src/index.ts'
import { ROOT } from '../support/source-files.ts'
import {
  call,
  CHAT_CALLS,
  INTERNAL_CALLS,
  methodsOf,
  STORE_CALLS,
  type Calls,
} from '../support/public-calls.ts'

const THROWS = {
  get: (): never => {
    throw new RangeError('not now')
  },
}

const BAD_VALUES: readonly unknown[] = [
  null,
  undefined,
  0,
  -1,
  1.5,
  Number.NaN,
  Infinity,
  5n,
  true,
  '',
  'x',
  '\0',
  '\ud800',
  'ffffffff-ffff-7fff-bfff-ffffffffffff',
  Symbol('s'),
  [],
  [null],
  [[]],
  [Symbol('s')],
  {},
  Object.create(null),
  { toString: null, valueOf: null },
  new Proxy({}, THROWS),
  () => 1,
  new Date(Number.NaN),
  new Map([['a', 1]]),
  Buffer.from('x'),
]

/** The arguments with one of them, or one field of one, replaced. */
function* spoiled(args: readonly unknown[]): Generator<readonly unknown[]> {
  for (const [i, arg] of args.entries()) {
    for (const value of BAD_VALUES) {
      yield args.with(i, value)
      if (Array.isArray(arg)) yield args.with(i, [value])
      if (typeof arg !== 'object' || arg === null || Array.isArray(arg)) continue
      for (const field of Object.keys(arg)) yield args.with(i, { ...arg, [field]: value })
    }
  }
}

/** What a call that fails otherwise than with a StorageError threw or rejected with. */
async function failures(subject: object, calls: Calls): Promise<string[]> {
  const found = new Set<string>()
  for (const [name, args] of Object.entries(calls)) {
    // Ends the subject; takes nothing.
    if (args.length === 0) continue
    for (const given of spoiled(args)) {
      await call(subject, name, given).catch((error: unknown) => {
        if (!isStorageError(error)) found.add(`${name}: ${String(error)}`)
      })
    }
  }
  return [...found]
}

async function open(): Promise<ChatHistory> {
  const history = await openChatHistory({
    primary: 'memory:',
    backup: 'memory:',
    wal: 'memory:',
    sessionSecret: 'sixteen bytes or more',
    retention: { maxMessages: 10 },
  })
  onTestFinished(() => history.close())
  return history
}

test('no method is left out', () => {
  expect(methodsOf(ChatHistory)).toEqual(Object.keys(CHAT_CALLS).sort())
  const api = readFileSync(join(ROOT, 'api', 'everthread.api.md'), 'utf8')
  for (const name of INTERNAL_CALLS) expect(api).not.toMatch(new RegExp(`\\b${name}\\(`))
  expect(methodsOf(StrategicStorageManager)).toEqual(Object.keys(STORE_CALLS).sort())
})

test('every method of a chat history rejects with a StorageError', async () => {
  const history = await open()
  const session = { ...(CHAT_CALLS['getHistory']![1] as object), session: 'x' }
  const calls = { ...CHAT_CALLS, getHistory: ['c', session] }
  expect(await failures(history, calls)).toEqual([])
})

test('every method of a store rejects with a StorageError', async () => {
  const { store } = await open()
  expect(await failures(store, STORE_CALLS)).toEqual([])
})

test('a history opens with what it is handed, or rejects with a StorageError', async () => {
  const good = {
    primary: 'memory:',
    backup: 'memory:',
    wal: 'memory:',
    cache: 'memory:',
    read: 'failover',
    write: 'idempotent',
    health: 'simple',
    tenant: 'a',
    sessionSecret: 'sixteen bytes or more',
    retention: { maxMessages: 10 },
    encryption: { keys: [] },
    connectTimeout: 100,
    drainTimeout: 100,
    reconcile: false,
  }
  // Where something is left out the default is a folder of the current one.
  const before = process.cwd()
  const folder = mkdtempSync(join(tmpdir(), 'everthread-hostile-'))
  process.chdir(folder)
  onTestFinished(() => {
    process.chdir(before)
    rmSync(folder, { recursive: true, force: true })
  })
  const found = new Set<string>()
  for (const [given] of spoiled([good])) {
    try {
      await (await openChatHistory(given as object)).close()
    } catch (error) {
      if (!isStorageError(error)) found.add(String(error))
    }
  }
  expect([...found]).toEqual([])
})

test.each([
  ['postgresql', 'postgresql://u%:p@localhost/db'],
  ['postgresql', 'postgresql://u:p%zz@localhost/db'],
  ['postgresql', 'postgresql://localhost/%'],
  ['redis', 'redis://u:p%@localhost'],
  ['redis', 'redis://u%f:p@localhost'],
  ['s3', 's3://bucket/%'],
])(
  'a malformed escape in a URL of %s is refused without quoting it: %s',
  async (_type, primary) => {
    const options = { primary, backup: 'memory:', wal: 'memory:', drainTimeout: 0 }
    const error: unknown = await openChatHistory(options).then(
      (history) => history.close(),
      (reason: unknown) => reason,
    )
    expect(isStorageError(error)).toBe(true)
    expect(String(error)).toMatch(/has a % that begins no escape/)
    expect(String(error)).not.toMatch(/p%|u%/)
  },
)

test.each<[string, Calls]>([
  ['chat history', CHAT_CALLS],
  ['store', STORE_CALLS],
])('every method of a %s refuses an option that it does not know', async (what, calls) => {
  const history = await open()
  const subject = what === 'store' ? history.store : history
  const taken: string[] = []
  for (const [name, args] of Object.entries(calls)) {
    for (const [i, arg] of args.entries()) {
      if (!isOptions(arg)) continue
      const given = args.with(i, { ...arg, noSuchOption: 1 })
      const error = await call(subject, name, given).catch((reason: unknown) => reason)
      const isRefused = isStorageError(error, 'INVALID_ARGUMENT')
      if (!isRefused || !error.message.startsWith('noSuchOption is not known')) {
        taken.push(`${name}: ${String(error)}`)
      }
    }
  }
  expect(taken).toEqual([])
})

/** Not a message, an item, a value or a function. */
function isOptions(arg: unknown): arg is object {
  if (typeof arg !== 'object' || arg === null || Array.isArray(arg)) return false
  return !('role' in arg)
}

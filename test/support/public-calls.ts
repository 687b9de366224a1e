import { parseSearch } from '../../src/core/search/search-terms.ts'
import type { ChatHistory } from '../../src/index.ts'
import type { Stamp } from '../../src/core/stamp.ts'

/** Each method of a class with arguments that it takes; the one that ends it comes last. */
export type Calls = Readonly<Record<string, readonly unknown[]>>

const MESSAGE = { role: 'user', content: 'Hello' }
const STAMP = '019ac8a0-0b12-7000-8abc-0123456789ab' as Stamp
const OPERATION = { kind: 'delete', key: 'k', stamp: STAMP }
const BOUND = { prefix: '', limit: 10 }

export const CHAT_CALLS: Calls = {
  saveMessage: ['c', MESSAGE],
  saveMessages: ['c', [MESSAGE, { ...MESSAGE, id: 'own' }], { onConflict: 'ignore' }],
  saveItems: [
    'c',
    [
      { type: 'reasoning', summary: [] },
      { ...MESSAGE, id: 'item' },
    ],
  ],
  saveContent: [[new Uint8Array(3)], { mediaType: 'image/png' }],
  readContent: [`content:sha256-${'0'.repeat(64)}`],
  cleanContent: [{ graceMs: 1 }],
  getHistory: ['c', { limit: 2, before: STAMP, after: STAMP, order: 'newest', alignTurns: true }],
  window: ['c', { maxMessages: 2, maxTokens: 9, countTokens: () => 1, keepSystem: true }],
  findDanglingToolCalls: ['c', { limit: 2 }],
  closeToolCalls: ['c', { limit: 2, olderThanMs: 1, content: 'stopped' }],
  getMessage: ['c', 'own'],
  getMessageEntry: ['c', 'own'],
  findMessages: [['own', 'none'], { conversationIds: ['c'] }],
  updateMessage: ['c', 'own', MESSAGE],
  deleteMessage: ['c', 'own'],
  fork: ['c', { from: 'own', as: 'f' }],
  listForks: ['c'],
  forkedFrom: ['f'],
  truncate: ['c', { from: 'own' }],
  editAndResend: ['c', 'own', MESSAGE],
  addAlternative: ['c', 'own', MESSAGE, { choose: false }],
  listAlternatives: ['c', 'own'],
  chooseAlternative: ['c', 'own', 'own'],
  clearHistory: ['c', { wait: 'everywhere' }],
  eraseConversation: ['c', { deadlineMs: 0, forks: 'erase' }],
  eraseTenant: ['', { deadlineMs: 0 }],
  listErasures: [],
  countMessages: ['c'],
  listConversations: [
    { limit: 2, before: `${STAMP}c`, titlePrefix: '', metadata: { a: 1 }, countMessages: true },
  ],
  createConversation: ['n', { title: 'T', owner: 'o', metadata: { a: 1 } }],
  getConversation: ['n'],
  updateConversation: ['n', { title: null, metadata: { a: null } }],
  deleteConversation: ['n', { wait: 'everywhere' }],
  countConversations: [{ owner: 'o' }],
  importMessages: ['c', [{ ...MESSAGE, createdAt: '2024-01-01T00:00:00Z' }]],
  forTenant: ['t'],
  search: [{ text: 'a "b" -c', in: 'messages', conversationId: 'c', role: 'user', limit: 2 }],
  verify: [{ deep: true, olderThanMs: 0, rowsPerSecond: 1_000 }],
  reconcile: [{ scope: 'full', into: 'backup' }],
  repair: [{ rowsPerSecond: 1_000 }],
  flush: [],
  applyRetention: [],
  startMessage: ['s', { role: 'assistant' }, { leaseMs: 10_000 }],
  resumeMessage: ['s', 'none', { leaseMs: 10_000 }],
  readStream: [{ conversationId: 's', id: 'none', pollMs: 100 }],
  repairStreams: [{ olderThanMs: 1_000 }],
  messages: ['c'],
  subscribe: [{ conversationId: 'c', since: 'beginning', pollInterval: 100 }],
  status: [],
  on: ['health', () => {}],
  close: [],
}

export const STORE_CALLS: Calls = {
  readMany: [[{ key: 'k', limit: 1, order: 'newest' }]],
  entries: [{ ...BOUND, after: 'k' }],
  getItems: [{ key: 'k', limit: 1, order: 'oldest', before: STAMP }],
  getItemsById: ['k', ['a']],
  deleteMany: [['k', 'l']],
  deletePrefix: ['nothing', { maxKeys: 10 }],
  removeExpired: [],
  lease: ['k', 1_000],
  get: ['k'],
  set: ['k', 1, { expiresAt: 1 }],
  mget: [['k', 'l']],
  mset: [[['k', 1]]],
  getEntry: ['k'],
  write: [
    [
      { kind: 'append', key: 'k', value: 1 },
      { kind: 'put', key: 'k', id: 'b', value: 1 },
    ],
    { if: [{ key: 'l', absent: true }], decide: 'primary' },
  ],
  delete: ['k'],
  exists: ['k'],
  list: ['k'],
  append: ['k', 1],
  getRange: ['k', 0, 10],
  appendItems: ['k', [{ id: 'a', value: 1 }], [OPERATION]],
  writeGroup: [[OPERATION]],
  mergeGroup: [[OPERATION]],
  stamp: ['k'],
  editItem: ['k', 'a', STAMP, 1],
  removeItem: ['k', 'a', STAMP],
  deleteThrough: ['k', STAMP],
  readItems: [{ key: 'k', limit: 1, order: 'newest', before: STAMP, after: STAMP }],
  readItemsById: ['k', ['a']],
  countItems: ['k', { mayExpire: false }],
  listKeys: [{ ...BOUND, after: 'k' }],
  listLatest: [{ ...BOUND, before: { latest: STAMP, key: 'k' } }],
  searchItems: [
    {
      terms: parseSearch('a'),
      prefix: 'chat/0::',
      limit: 1,
      before: STAMP,
      after: STAMP,
      role: 'user',
    },
  ],
  follow: [STAMP],
  isClearedThrough: ['k', STAMP],
  pause: [10],
  now: [],
  keyedNames: ['x'],
  earliestNow: [],
  checkClocks: ['work', 'known'],
  decodeItems: ['k', [], () => 0, Boolean],
  getHealthStatus: [],
  status: [],
  flushWAL: [1_000],
  waitUntilCleared: ['k', STAMP, 100],
  listQuarantined: [],
  retryQuarantined: [],
  erase: ['prefix', 'k', 0],
  listErasures: ['k'],
  cleanupWAL: [0],
  reconcile: [{ scope: 'full', into: 'backup' }],
  verify: [{ deep: true, olderThanMs: 0 }],
  repair: [{ rowsPerSecond: 1_000 }],
  hasBackup: [],
  getStorageManagers: [],
  getBackends: ['primary'],
  on: ['health', () => {}],
  onWrite: [() => {}],
  connect: [],
  disconnect: [],
}

export const MANAGER_CALLS: Calls = {
  connect: [],
  getConfig: [],
  getHandles: [],
  getBackends: [],
  isConnected: [],
  hasCacheFallback: [],
  getInfo: [],
  healthCheck: [{ timeoutMs: 1_000 }],
  disconnect: [],
}

/** Calls of an object by name, with what an async iterator gives read to its end. */
export async function call(
  subject: object,
  name: string,
  args: readonly unknown[],
): Promise<unknown> {
  const method = (subject as Record<string, (...args: readonly unknown[]) => unknown>)[name]!
  const result = method.apply(subject, [...args])
  if (typeof result !== 'object' || result === null || !(Symbol.asyncIterator in result)) {
    return await result
  }
  // What is followed has no end of its own.
  if ('close' in result) (result as { close: () => void }).close()
  const all: unknown[] = []
  for await (const one of result as ReturnType<ChatHistory['messages']>) all.push(one)
  return all
}

/** For the adapters of this package alone: the public types have them not. */
export const INTERNAL_CALLS: readonly string[] = ['exchange', 'replaceAll', 'standing']

/** The names of the public methods of a class, with those that it inherits. */
export function methodsOf(type: { readonly prototype: object }): string[] {
  const base: unknown = Object.getPrototypeOf(type.prototype)
  const inherited = base === Object.prototype ? [] : methodsOf({ prototype: base as object })
  const own = Object.entries(Object.getOwnPropertyDescriptors(type.prototype))
    .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
    .map(([name]) => name)
    .filter((name) => !INTERNAL_CALLS.includes(name))
  return [...new Set([...own, ...inherited])].sort()
}

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { ChatMessage, NewMessage, Receipt } from '../../chat/message.ts'
import { isStorageError, StorageError, type StorageErrorCode } from '../../core/errors.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { Line } from '../jsonl/read-lines.ts'
import type { ImportTarget } from './import-conversation.ts'
import { importLines, type ImportLinesOptions, type ImportOutcome } from './import-lines.ts'
import { ImportTally } from './import-tally.ts'
import { newReceipts } from './new-receipts.ts'

const WRITER = '8000-000000000001'

type BeforeSave = (conversationId: string, messages: readonly NewMessage[]) => void

/** A store that is a map, and does what its hook says before each save. */
class FakeTarget implements ImportTarget {
  readonly conversations = new Map<string, Map<string, NewMessage>>()
  readonly groups: number[] = []
  readonly running = new Set<string>()
  runningMax = 0
  #stamps = 0
  readonly #beforeSave: BeforeSave

  constructor(beforeSave: BeforeSave = () => {}) {
    this.#beforeSave = beforeSave
  }

  async createConversation(): Promise<void> {}

  async importMessages(
    conversationId: string,
    messages: readonly NewMessage[],
  ): Promise<Receipt[]> {
    expect(this.running.has(conversationId), 'one conversation, one save at a time').toBe(false)
    this.running.add(conversationId)
    this.runningMax = Math.max(this.runningMax, this.running.size)
    await new Promise((resolve) => setImmediate(resolve))
    this.running.delete(conversationId)
    this.#beforeSave(conversationId, messages)
    const list = this.conversations.get(conversationId) ?? new Map<string, NewMessage>()
    for (const message of messages) {
      const existing = list.get(message.id!)
      if (existing !== undefined && JSON.stringify(existing) !== JSON.stringify(message)) {
        throw new StorageError('CONFLICT', 'another message has this id')
      }
    }
    this.groups.push(messages.length)
    this.conversations.set(conversationId, list)
    return messages.map((message) => {
      const isNew = !list.has(message.id!)
      list.set(message.id!, message)
      return this.#receipt(message.id!, isNew)
    })
  }

  async fork(): Promise<void> {}

  async saveContent(parts: Iterable<Uint8Array>): Promise<{ ref: string }> {
    const hash = createHash('sha256').update(Buffer.concat([...parts]))
    return { ref: `content:sha256-${hash.digest('hex')}` }
  }

  async getMessage(conversationId: string, id: string): Promise<ChatMessage | undefined> {
    const message = this.conversations.get(conversationId)?.get(id)
    return message === undefined ? undefined : { createdAt: '2026', ...message, id }
  }

  texts(conversationId: string): unknown[] {
    return [...(this.conversations.get(conversationId)?.values() ?? [])].map((m) => m.content)
  }

  #receipt(id: string, isNew: boolean): Receipt {
    const count = (this.#stamps++).toString(16).padStart(12, '0')
    const writer = isNew ? WRITER : '9000-000000000009'
    const position = `${count.slice(0, 8)}-${count.slice(8)}-7000-${writer}` as Stamp
    return { id, position, stamp: position, copies: ['primary', 'wal'], durable: true }
  }
}

function conversation(id: string, texts: readonly string[], more: object = {}): string {
  return JSON.stringify({
    conversationId: id,
    messages: texts.map((content) => ({ role: 'user', content, ...more })),
  })
}

async function* linesOf(texts: readonly string[]): AsyncGenerator<Line> {
  for (const [i, text] of texts.entries()) yield { number: i + 1, bytes: text.length, text }
}

async function run(
  target: ImportTarget,
  texts: readonly string[],
  options: Partial<ImportLinesOptions> = {},
): Promise<ImportOutcome> {
  return await importLines({
    lines: linesOf(texts),
    target,
    strict: false,
    retryForMs: 0,
    stop: new AbortController(),
    isNew: newReceipts(WRITER),
    onProblem: () => {},
    onProgress: () => {},
    onRetry: () => {},
    ...options,
  })
}

function failing(code: StorageErrorCode): StorageError {
  return new StorageError(code, 'out', { effect: 'unknown' })
}

test('many conversations are saved at a time, each in order and in groups', async () => {
  const target = new FakeTarget()
  const texts = Array.from({ length: 250 }, (_, i) => `m${i}`)
  const lines = Array.from({ length: 40 }, (_, i) => conversation(`c${i}`, texts))
  const { report } = await run(target, lines)
  expect(report).toMatchObject({
    conversations: 40,
    messages: { acknowledged: 10_000, new: 10_000, alreadyThere: 0 },
    badLines: 0,
  })
  expect(target.texts('c39')).toEqual(texts)
  expect(Math.max(...target.groups)).toBe(100)
  expect(target.runningMax).toBe(16)
})

test('an import that is repeated finds everything there', async () => {
  const target = new FakeTarget()
  const lines = [conversation('a', ['1', '2']), conversation('b', ['3'])]
  await run(target, lines)
  const { report } = await run(target, lines)
  expect(report.messages).toMatchObject({ acknowledged: 3, new: 0, alreadyThere: 3, conflicts: 0 })
})

test('other content under a stored id is a conflict, and the messages around it are saved', async () => {
  const target = new FakeTarget()
  await run(target, [conversation('a', ['1', 'two'])])
  const { report } = await run(target, [conversation('a', ['1', '2', '3'])])
  expect(report.messages).toMatchObject({ acknowledged: 2, new: 1, alreadyThere: 1, conflicts: 1 })
  expect(report.problems).toEqual([
    expect.objectContaining({ line: 1, conversationId: 'a', message: 1, id: 'import-1' }),
  ])
  expect(target.texts('a')).toEqual(['1', 'two', '3'])
})

test('a message that the store wrote down differently, but means the same, is no conflict', async () => {
  const target = new FakeTarget()
  await target.importMessages('a', [{ id: 'x', content: '1', role: 'user' }])
  const { report } = await run(target, [conversation('a', ['1'], { id: 'x' })])
  expect(report.messages).toMatchObject({ acknowledged: 1, alreadyThere: 1, conflicts: 0 })
})

test('bad lines are reported by number and the others are imported', async () => {
  const target = new FakeTarget()
  const problems: number[] = []
  const lines = ['{', conversation('a', ['1']), '{}', conversation('b', [])]
  const { report } = await run(target, lines, { onProblem: ({ line }) => problems.push(line) })
  expect(problems).toEqual([1, 3])
  expect(report).toMatchObject({ conversations: 2, emptyConversations: 1, badLines: 2 })
  expect(report.stoppedAtLine).toBeUndefined()
})

test('strict stops at the first bad line and says where', async () => {
  const target = new FakeTarget()
  const lines = [conversation('a', ['1']), '{', conversation('b', ['2'])]
  const { report, failure } = await run(target, lines, { strict: true })
  expect(report).toMatchObject({ badLines: 1, stoppedAtLine: 2 })
  expect(failure).toBeUndefined()
  expect(target.conversations.has('b')).toBe(false)
})

test.each(['UNAVAILABLE', 'OVERLOADED', 'TIMEOUT'] as const)(
  '%s is tried again until it works',
  async (code) => {
    let failures = 3
    const target = new FakeTarget(() => {
      if (failures-- > 0) throw failing(code)
    })
    const { report } = await run(target, [conversation('a', ['1'])], { retryForMs: 30_000 })
    expect(report.messages.acknowledged).toBe(1)
  },
)

test('a store that stays away ends the import at the line that is missing', async () => {
  const target = new FakeTarget((id) => {
    if (id === 'c7') throw failing('UNAVAILABLE')
  })
  const lines = Array.from({ length: 100 }, (_, i) => conversation(`c${i}`, ['1']))
  const { report, failure } = await run(target, lines)
  expect(isStorageError(failure, 'UNAVAILABLE')).toBe(true)
  expect(report.stoppedAtLine).toBe(8)
})

test('an interruption finishes the running save and leaves a beginning of each conversation', async () => {
  const stop = new AbortController()
  const target = new FakeTarget(() => {
    if (target.groups.length === 20) stop.abort()
  })
  const texts = Array.from({ length: 500 }, (_, i) => `m${i}`)
  const lines = Array.from({ length: 30 }, (_, i) => conversation(`c${i}`, texts))
  const { report, failure } = await run(target, lines, { stop })
  expect(failure).toBeUndefined()
  expect(report.stoppedAtLine).toBe(1)
  expect(report.messages.acknowledged).toBe(target.groups.length * 100)
  for (const id of target.conversations.keys()) {
    const saved = target.texts(id)
    expect(saved).toEqual(texts.slice(0, saved.length))
  }
  // Whatever was cut off, the same import completes it.
  const again = await run(target, lines)
  expect(again.report.messages.acknowledged).toBe(15_000)
  expect(target.texts('c29')).toEqual(texts)
})

test('two lines of one conversation are imported one after the other', async () => {
  const target = new FakeTarget()
  const lines = [conversation('a', ['1']), conversation('a', ['1', '2'])]
  const { report } = await run(target, lines)
  expect(report.messages).toMatchObject({ new: 2, alreadyThere: 1 })
})

test('a failure that is not about the store being away is not hidden', async () => {
  const target = new FakeTarget(() => {
    throw new Error('a bug')
  })
  const { failure } = await run(target, [conversation('a', ['1'])], { retryForMs: 30_000 })
  expect(failure).toEqual(new Error('a bug'))
})

test('fields that are different in each line are counted by name up to a hundred', async () => {
  const tally = new ImportTally({ isNew: () => true, onProblem: () => {} })
  tally.ignored(['x'.repeat(1_000_000)])
  for (let i = 0; i < 1_000; i++) tally.ignored([`field ${i}`, 'field 0'])
  const { ignoredFields } = tally.report(undefined)
  expect(Object.keys(ignoredFields)).toHaveLength(100)
  expect(ignoredFields['field 0']).toBe(1_001)
  expect(JSON.stringify(ignoredFields).length).toBeLessThan(10_000)
})

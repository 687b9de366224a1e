// Goal: a SQLite file that today's schema wrote opens in every later release, and takes writes.
// Method: `sqlite-v1/chat.db` was written once and is never written again; a copy is opened.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { applyOperation, emptyState, operationsOf, type KeyState } from '../../src/core/merge.ts'
import type { Operation } from '../../src/core/operation.ts'
import { STAMP_MAX, STAMP_MIN } from '../../src/core/stamp.ts'
import { append, clear, edit, remove, set, stampAt } from '../../src/testing/backend/operations.ts'

const GOLDEN = fileURLToPath(new URL('./sqlite-v1/chat.db', import.meta.url))
const WRITER = '8000-000000000001'

const OPERATIONS: readonly Operation[] = [
  set('settings', stampAt(1), { theme: 'dark' }),
  append('chat', stampAt(2), 'own id'),
  append('chat', stampAt(3), 'caller’s id', 'order-1'),
  edit('chat', 'order-1', stampAt(3), stampAt(4), 'edited \ud800 \0 😀'),
  append('chat', stampAt(5), 'removed later', 'order-2'),
  remove('chat', 'order-2', stampAt(5), stampAt(6)),
  append('chat:é😀', stampAt(7), 'cleared'),
  clear('chat:é😀', stampAt(8)),
  append('chat:é😀', stampAt(9), 'after the clear'),
  append('chat', stampAt(10), 'x'.repeat(4_000)),
]

/** What the operations come to, whatever the engine. */
function expected(): string[] {
  const states = new Map<string, KeyState>()
  for (const operation of OPERATIONS) {
    const state = states.get(operation.key) ?? emptyState()
    states.set(operation.key, state)
    applyOperation(state, operation)
  }
  return [...states]
    .flatMap(([key, state]) => operationsOf(key, state))
    .map(textOf)
    .sort()
}

function textOf(operation: Operation): string {
  return JSON.stringify(operation, Object.keys(operation).sort())
}

async function contents(backend: SqliteBackend): Promise<string[]> {
  const found: string[] = []
  for await (const operation of backend.scan({ from: STAMP_MIN, to: STAMP_MAX })) {
    found.push(textOf(operation))
  }
  return found.sort()
}

test('a SQLite file of schema version 1 opens with everything in it', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'everthread-golden-'))
  onTestFinished(() => rmSync(copy, { recursive: true }))
  const path = join(copy, 'chat.db')
  cpSync(GOLDEN, path)
  const backend = new SqliteBackend({ path })
  await backend.connect()
  expect(await contents(backend)).toEqual(expected())
  const state = await backend.readState(WRITER)
  expect(state.cursor).toBe(7)
  expect(state.hints).toEqual([{ writer: WRITER, count: 1 }])
  const { applied } = await backend.apply([append('chat', stampAt(11), 'caller’s id', 'order-1')], {
    decide: true,
    unique: true,
  })
  // The id stands, as it did when the file was written.
  expect(applied[0]).toMatchObject({ outcome: 'stands' })
  await backend.apply([append('chat', stampAt(12), 'new')], { decide: true })
  expect((await backend.countItems('chat')).count).toBe(4)
  await backend.disconnect()
})

test.runIf(!existsSync(GOLDEN))('writes the golden file, once for each schema', async () => {
  mkdirSync(dirname(GOLDEN), { recursive: true })
  const backend = new SqliteBackend({ path: GOLDEN })
  await backend.connect()
  for (const operation of OPERATIONS) await backend.apply([operation])
  await backend.apply([], { hint: WRITER, cursor: { writer: WRITER, lsn: 7 } })
  await backend.disconnect()
})

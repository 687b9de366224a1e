// Goal: who runs a store without a logger hears of outages, and is not flooded. Method: places fail under
// saves; what reaches the console is looked at.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'

let lines: string[]

beforeEach(() => {
  lines = []
  const warn = vi.spyOn(console, 'warn').mockImplementation((line) => void lines.push(String(line)))
  onTestFinished(() => warn.mockRestore())
})

async function open(options: ChatHistoryOptions): Promise<ChatHistory> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-warnings-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const history = await openChatHistory({ wal: `file:${directory}`, ...options })
  onTestFinished(() => history.close())
  return history
}

function told(part: string): number {
  return lines.filter((line) => line.includes(part)).length
}

async function save(history: ChatHistory): Promise<void> {
  await history.saveMessage('c', { role: 'user', content: 'a' }).catch(() => {})
}

test('a primary that goes out and comes back is two lines', async () => {
  const primary = faultyBackend(new DurableMemoryBackend())
  const history = await open({ primary, backup: new DurableMemoryBackend(), health: 'simple' })
  primary.setMode('refused')
  await expect
    .poll(async () => save(history).then(() => told('everthread: the primary is out')))
    .toBe(1)
  for (let i = 0; i < 20; i++) await save(history)
  primary.setMode('up')
  await expect.poll(() => told('everthread: the primary is back')).toBe(1)
  expect(told('the primary')).toBe(2)
})

test('saves with one copy are one line, and none with a strategy that asks for one', async () => {
  for (const write of ['idempotent', 'wal-first'] as const) {
    lines.length = 0
    const primary = faultyBackend(new DurableMemoryBackend())
    const backup = faultyBackend(new DurableMemoryBackend())
    const history = await open({ primary, backup, write })
    for (const place of [primary, backup]) place.setMode('refused')
    for (let i = 0; i < 10; i++) await save(history)
    expect(told('saves have one copy only')).toBe(write === 'idempotent' ? 1 : 0)
  }
})

test('with logger: false nothing is said', async () => {
  const primary = faultyBackend(new DurableMemoryBackend())
  primary.setMode('refused')
  const history = await open({ primary, backup: new DurableMemoryBackend(), logger: false })
  await save(history)
  expect(history.status().places.primary.connected).toBe(false)
  expect(lines).toEqual([])
})

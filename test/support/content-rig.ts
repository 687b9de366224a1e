/* Stores with places that can be taken away, for tests of large content. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

const HEALTH = {
  type: 'circuit-breaker',
  config: { circuitOpenDuration: 100, healthCheckInterval: 50 },
} as const
export const MIB: number = 1024 * 1024

export interface Rig {
  readonly history: ChatHistory
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  /** Another process on the same databases. */
  readonly open: () => Promise<ChatHistory>
}

export async function rig(
  open: () => Promise<ReplicaBackend> = memory,
  options: ChatHistoryOptions = {},
): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-content-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const [first, second] = [await open(), await open()]
  let logs = 0
  const opened = async (primary: FaultyBackend, backup: FaultyBackend): Promise<ChatHistory> => {
    const wal = `file:${join(folder, `wal-${++logs}`)}`
    const history = await openChatHistory({
      primary,
      backup,
      wal,
      health: HEALTH,
      ...options,
    } as ChatHistoryOptions)
    onTestFinished(() => history.close())
    return history
  }
  const [primary, backup] = [faultyBackend(first), faultyBackend(second)]
  return {
    history: await opened(primary, backup),
    primary,
    backup,
    open: () => opened(faultyBackend(first), faultyBackend(second)),
  }
}

export async function memory(): Promise<ReplicaBackend> {
  const backend = new DurableMemoryBackend()
  await backend.connect()
  return backend
}

export function picture(ref: string): {
  role: 'user'
  content: { type: string; content: string }[]
} {
  return { role: 'user', content: [{ type: 'image', content: ref }] }
}

/** Chunks that are stored, of all uploads. */
export async function chunks(history: ChatHistory): Promise<number> {
  const keys = await history.store.list('chunk/')
  const counts = await Promise.all(keys.map((key) => history.store.countItems(key)))
  return counts.reduce((sum, { count }) => sum + count, 0)
}

export async function cleaned(history: ChatHistory): Promise<number> {
  await history.flush()
  // What was saved in this very millisecond is not old yet.
  await history.store.pause(2)
  return (await history.cleanContent({ graceMs: 0 })).removed
}

export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

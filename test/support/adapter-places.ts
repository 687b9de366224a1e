import { onTestFinished } from 'vitest'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

/** A history for an adapter, another process on the same databases, and these. */
export interface AdapterPlaces {
  readonly history: ChatHistory
  readonly other: ChatHistory
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
}

/** Two histories on one pair of databases in memory that can fail. They are closed with the test. */
export async function adapterPlaces(): Promise<AdapterPlaces> {
  const primary = faultyBackend(new MemoryBackend())
  const backup = faultyBackend(new MemoryBackend())
  const options = { primary, backup, wal: 'memory:', logger: false } as const
  const history = await openChatHistory(options)
  const other = await openChatHistory(options)
  onTestFinished(async () => {
    for (const place of [primary, backup]) place.setMode('up')
    // The first one to close disconnects the databases of both.
    await Promise.all([history.flush(), other.flush()])
    await history.close()
    await other.close()
  })
  return { history, other, primary, backup }
}

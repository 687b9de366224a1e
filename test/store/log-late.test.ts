// Goal: a save that ran out of time while the log was at it is not tried again with the same stamps: in a shared log
// both tries have one entry, and the late answer to the first one would take it from the second.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { openChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { failingDisk } from '../fault/support/failing-disk.ts'

// Found by the simulation (1229356, 1232994): a save, and a clear, were lost that the log alone had acknowledged.
test.each(['idempotent', 'wal-first', 'dual-write'] as const)(
  '%s: a log that hangs ends the save when its time is up',
  async (type) => {
    const filePath = await mkdtemp(join(tmpdir(), 'everthread-late-'))
    const disk = failingDisk()
    const primary = faultyBackend(new DurableMemoryBackend())
    const backup = faultyBackend(new DurableMemoryBackend())
    const history = await openChatHistory({
      env: { ...nodeEnv(), disk },
      primary,
      backup,
      wal: { type: 'file', filePath },
      write: { type, config: { timeout: 300, maxRetries: 3, retryDelay: 1 } },
    })
    let wake = (): void => {}
    onTestFinished(async () => {
      wake()
      await history.close()
      await rm(filePath, { recursive: true, force: true })
    })
    for (const place of [primary, backup]) place.setMode('refused')
    wake = disk.hang()
    const save = history.saveMessage('c', { role: 'user', content: 'late' })
    await expect(save).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
    wake()
    for (const place of [primary, backup]) place.setMode('up')
    await history.flush()
    // What was told to be unknown may be there or not, but once and in both.
    expect(await backup.digest(WHOLE_RANGE, 1)).toEqual(await primary.digest(WHOLE_RANGE, 1))
  },
)

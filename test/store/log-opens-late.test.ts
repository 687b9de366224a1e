// Goal: a log that could not be opened at the start is opened as soon as it can be, whatever else
// the store waits for.
// Method: a full disk at the start, and the lease of the reconciler in other hands.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import { openChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { failingDisk } from '../fault/support/failing-disk.ts'

test('a pass that waits for its turn does not keep the log shut', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  for (const place of [primary, backup]) await place.connect()
  // Both were written to and do not know each other: a full pass is due at once.
  await primary.set('a', 1)
  await backup.set('b', 2)
  await backup.lease({ name: 'reconcile', holder: 'another process', ttlMs: 600_000 })
  const disk = failingDisk()
  disk.fail('ENOSPC', ['open', 'write'])
  const history = await openChatHistory({
    primary,
    backup,
    wal: `file:${join(directory, 'wal')}`,
    env: { ...nodeEnv(), disk },
  })
  onTestFinished(() => history.close())
  expect(history.status().wal.state).not.toBe('open')
  await expect.poll(() => disk.failures, { timeout: 20_000 }).toBeGreaterThan(2)
  disk.fail()
  await expect.poll(() => history.status().wal.state, { timeout: 20_000 }).toBe('open')
  expect(history.status().trusted).toBe(false)
})

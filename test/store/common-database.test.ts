// Goal: of two processes that both reached one database, clocks do not decide what comes later: a
// save or an edit stands after what that database had, also where another database served it.
// Method: memory engines; A's clock is an hour ahead and A is cut from the primary, B has no log.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { failingDisk } from '../fault/support/failing-disk.ts'

const HOUR = 3_600_000
const WRITES = ['idempotent', 'wal-first', 'dual-write'] as const
/** When the backup gets what A does: before B's call, or just before B's call reaches the backup. */
const MOMENTS = ['before', 'meanwhile'] as const
const CASES = WRITES.flatMap((write) => MOMENTS.map((moment) => ({ write, moment })))
const NAMED = CASES.flatMap((each) => [{ id: 'mine' }, {}].map((named) => ({ ...each, named })))

async function rig(write: (typeof WRITES)[number]) {
  const env = nodeEnv()
  const backup = new DurableMemoryBackend()
  const primary = new DurableMemoryBackend()
  const cut = faultyBackend(primary)
  const watched = faultyBackend(backup)
  const filePath = await mkdtemp(join(tmpdir(), 'everthread-common-'))
  onTestFinished(() => rm(filePath, { recursive: true, force: true }))
  const open = async (options: ChatHistoryOptions): Promise<ChatHistory> => {
    const health = { type: 'simple', config: { healthCheckInterval: 50 } } as const
    const history = await openChatHistory({ reconcile: false, write, health, ...options })
    onTestFinished(() => history.close())
    return history
  }
  const ahead = { ...env, now: () => env.now() + HOUR }
  const a = await open({ env: ahead, primary: cut, backup, wal: 'memory:' })
  const disk = failingDisk()
  const wal = { type: 'file', filePath } as const
  const b = await open({ env: { ...env, disk }, primary, backup: watched, wal })
  await b.saveMessage('c', { id: 'old', role: 'user', content: 'old' })
  await b.flush()
  cut.setMode('refused')
  disk.fail('EIO')
  return {
    a,
    b,
    at: async (moment: (typeof MOMENTS)[number], run: () => Promise<unknown>): Promise<void> => {
      if (moment === 'before') await run()
      else {
        watched.onCall(async (call) => {
          if (call !== 'apply') return
          watched.onCall(() => {})
          await run()
        })
      }
    },
    contents: async () => (await b.getHistory('c')).messages.map(({ content }) => content),
    heal: async () => {
      cut.setMode('up')
      await a.flush()
    },
  }
}

test.each(NAMED)('$write: a save $named after a clear that the backup had $moment', async (one) => {
  const { a, b, at, contents, heal } = await rig(one.write)
  await at(one.moment, async () => {
    expect((await a.clearHistory('c')).copies).toEqual(['backup', 'wal'])
  })
  const { copies } = await b.saveMessage('c', { ...one.named, role: 'user', content: 'new' })
  expect(copies).toEqual(['primary', 'backup'])
  expect(await contents()).toEqual(['new'])
  await heal()
  expect(await contents()).toEqual(['new'])
})

test.each(CASES)('$write: a repeat after a clear that the backup had $moment', async (one) => {
  const { a, b, at, contents, heal } = await rig(one.write)
  await at(one.moment, () => a.clearHistory('c'))
  await b.saveMessage('c', { id: 'old', role: 'user', content: 'old' })
  await heal()
  expect(await contents()).toEqual(['old'])
})

// Found by the simulation (1201135, 1203055): the backup was not asked whether an id was removed there.
test.each(CASES)('$write: a repeat after a removal that the backup had $moment', async (one) => {
  const { a, b, at, contents, heal } = await rig(one.write)
  await at(one.moment, async () => {
    expect((await a.deleteMessage('c', 'old')).copies).toEqual(['backup', 'wal'])
  })
  const again = b.saveMessage('c', { id: 'old', role: 'user', content: 'old' })
  await expect(again).rejects.toThrow('was removed and cannot be used again')
  await heal()
  expect(await contents()).toEqual([])
})

test.each(CASES)('$write: a save of an id that was removed in the backup $moment', async (one) => {
  const { a, b, at, contents, heal } = await rig(one.write)
  const message = { id: 'mine', role: 'user', content: 'mine' } as const
  await at(one.moment, async () => {
    expect((await a.saveMessage('c', message)).copies).toEqual(['backup', 'wal'])
    expect((await a.deleteMessage('c', 'mine')).copies).toEqual(['backup', 'wal'])
  })
  await expect(b.saveMessage('c', message)).rejects.toThrow('was removed and cannot be used again')
  await heal()
  expect(await contents()).toEqual(['old'])
})

test.each(CASES)(
  '$write: a save of an id that the backup had $moment with other content',
  async (one) => {
    const { a, b, at, contents, heal } = await rig(one.write)
    await at(one.moment, async () => {
      const message = { id: 'mine', role: 'user', content: 'first' } as const
      expect((await a.saveMessage('c', message)).copies).toEqual(['backup', 'wal'])
    })
    const second = b.saveMessage('c', { id: 'mine', role: 'user', content: 'second' })
    await expect(second).rejects.toThrow('already exists with different content')
    await heal()
    expect(await contents()).toEqual(['old', 'first'])
  },
)

// Found by the simulation (3122): the primary alone judges the group that clears.
test.each(WRITES)('%s: a clear after a save that the backup alone has', async (write) => {
  const { a, b, contents, heal } = await rig(write)
  const { copies } = await a.saveMessage('c', { id: 'mine', role: 'user', content: 'ahead' })
  expect(copies).toEqual(['backup', 'wal'])
  await b.clearHistory('c')
  expect(await contents()).toEqual([])
  await heal()
  expect(await contents()).toEqual([])
})

test.each(CASES)('$write: an edit after one that the backup had $moment', async (one) => {
  const { a, b, at, contents, heal } = await rig(one.write)
  await at(one.moment, async () => {
    const { copies } = await a.updateMessage('c', 'old', { role: 'user', content: 'between' })
    expect(copies).toEqual(['backup', 'wal'])
  })
  const { copies } = await b.updateMessage('c', 'old', { role: 'user', content: 'new' })
  expect(copies).toEqual(['primary', 'backup'])
  await heal()
  expect(await contents()).toEqual(['new'])
})

// Found by programs on PostgreSQL (2000298).
test('a repeat stands where the later of two saves stands that two databases decided', async () => {
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  const cut = faultyBackend(primary)
  const late = faultyBackend(backup)
  const options = { wal: 'memory:', reconcile: false } as const
  const a = await openChatHistory({ ...options, primary: cut, backup })
  const b = await openChatHistory({ ...options, primary, backup: late })
  let arrive = (): void => {}
  const arrived = new Promise<void>((resolve) => (arrive = resolve))
  onTestFinished(async () => {
    cut.setMode('up')
    arrive()
    await Promise.all([a.close(), b.close()])
  })
  const message = { id: 'x', role: 'user', content: 'same' } as const
  // What b has saved is on its way to the backup.
  late.onCall(async (call) => {
    if (call === 'apply') await arrived
  })
  expect((await b.saveMessage('c', message)).copies).not.toContain('backup')
  cut.setMode('refused')
  const last = await a.saveMessage('c', message)
  expect(last.copies).not.toContain('primary')
  const again = await b.saveMessage('c', message)
  expect(again.position).toBe(last.position)
  cut.setMode('up')
  arrive()
  await Promise.all([a.flush(), b.flush()])
  for (const history of [a, b]) {
    const [shown] = (await history.getHistory('c')).messages
    expect(shown).toMatchObject(message)
  }
})

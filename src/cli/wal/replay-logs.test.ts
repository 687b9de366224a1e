// Goal: a log from anywhere brings what can be brought, and nothing that no release writes. Method:
// logs are written by hand, with checksums that are right.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryBackend } from '../../backend/memory/memory-backend.ts'
import { ValueCipher } from '../../core/encryption/value-cipher.ts'
import { nodeEnv } from '../../core/node-env.ts'
import type { Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import { values } from '../../testing/backend/context.ts'
import { append, stampAt } from '../../testing/backend/operations.ts'
import { FileWal } from '../../wal/file/file-wal.ts'
import { logsIn } from './read-logs.ts'
import { replayLogs, type ReplayReport } from './replay-logs.ts'

const env = nodeEnv()

async function replay(
  entries: readonly Operation[],
  cipher?: ValueCipher,
  refuse = false,
): Promise<{ report: ReplayReport; target: MemoryBackend }> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-replay-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const wal = new FileWal(env, { directory })
  await wal.open('8000-000000000001')
  for (const operation of entries) {
    const lsn = await wal.append([operation])
    if (refuse) await wal.quarantine('backup', lsn, 'refused')
  }
  const target = new MemoryBackend()
  await target.connect()
  try {
    const report = await replayLogs(env, await logsIn(env, directory), target, cipher, () => {})
    return { report, target }
  } finally {
    await wal.close()
  }
}

test('an encrypted value that was moved is refused alone, and what follows it is brought', async () => {
  const cipher = new ValueCipher({ keys: [{ id: 'k', secret: Buffer.alloc(32, 1) }] })
  await cipher.ready()
  const own = cipher.encrypt(append('k', stampAt(2), 'own'))
  const moved = { ...append('k', stampAt(1), ''), value: own.value }
  const { report, target } = await replay([moved, own], cipher)
  expect(report.rejected.map(({ lsn }) => lsn)).toEqual([1])
  expect(report.rejected[0]!.reason).toMatch(/changed or moved/)
  expect(await values(target, 'k')).toEqual(['own'])
})

const LAST = 'ffffffff-ffff-7fff-bfff-ffffffffffff' as Stamp
const FOREIGN: readonly [string, Operation][] = [
  ['a stamp that no clock can follow', append('k', LAST, 'x')],
  ['an id that is too long', append('k', stampAt(1), 'x', 'i'.repeat(1_100))],
  ['a key that is too long', append('k'.repeat(1_100), stampAt(1), 'x')],
  ['a text that is no stamp', append('k', 'x'.repeat(36) as Stamp, 'x', 'id')],
]

test.each(FOREIGN)('%s is damage, also in a dead letter', async (_what, operation) => {
  for (const refuse of [false, true]) {
    const { report, target } = await replay(
      [operation, append('k', stampAt(9), 'own')],
      undefined,
      refuse,
    )
    const reasons = report.damage.map(({ reason }) => reason)
    expect(reasons).toHaveLength(refuse ? 2 : 1)
    for (const reason of reasons) expect(reason).toMatch(/cannot be decoded/)
    expect(await values(target, 'k')).toEqual(['own'])
  }
})

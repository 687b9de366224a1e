// Goal: an erase goes on after kill -9 at any step: afterwards no byte of what was erased is in any
// file of the store, and everything else is there.
// Method: a process dies at one failpoint after the other; the next one only opens the store, as a
// restarted service would. If the erase was not under way yet, it is asked for again.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FAILPOINTS } from '../../src/core/failpoint.ts'
import { filesWith } from '../support/files-with.ts'
import { expectErased, killedWhileErasing } from './erase-kill-run.ts'
import { CANARY, eraseOptions } from './erase-options.ts'

/** Where this store comes by: the others belong to outages, or to engines that `erase-kill-servers.test.ts` has. */
const STEPS = [
  'wal.beforeWrite',
  'wal.afterWrite',
  'wal.beforeSync',
  'wal.afterSync',
  'wal.roll.beforeDirSync',
  'wal.meta.beforeRename',
  'wal.erase.beforeRename',
  'wal.erase.afterRename',
  'write.afterPrimary',
  'write.afterBackup',
  'write.afterWal',
  'flush.beforeApply',
  'flush.afterApply',
  'erase.begun',
  'erase.beforeLog',
  'erase.beforePurge',
  'erase.beforeDone',
] as const
const ELSEWHERE = [
  'wal.recover',
  'wal.adopt.afterClaim',
  'hint.beforeRemove',
  'stream.beforeRemove',
]

test('every failpoint is either tried here or known not to be on the way', () => {
  const known: readonly string[] = [...STEPS, ...ELSEWHERE]
  expect(
    FAILPOINTS.filter((name) => !known.includes(name) && !/^(?:redis|s3)\./.test(name)),
  ).toEqual([])
})

test.each(STEPS)('killed at %s', async (step) => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-erase-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const options = eraseOptions(directory)
  await killedWhileErasing(options, step)
  await expectErased(options, () => filesWith(directory, CANARY))
})

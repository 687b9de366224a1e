// Goal: an erase goes on after kill -9 at any step: afterwards no byte of what was erased is in any
// file of the store, and everything else is there.
// Method: a process dies at one failpoint after the other; the next one only opens the store, as a
// restarted service would. If the erase was not under way yet, it is asked for again.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { FAILPOINTS } from '../../src/core/failpoint.ts'
import { openChatHistory } from '../../src/index.ts'
import { filesWith } from '../support/files-with.ts'
import { CANARY, eraseOptions, KEPT_MESSAGES } from './erase-options.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const CHILD = fileURLToPath(new URL('./erase-child.ts', import.meta.url))

/** Where this store comes by: the others belong to engines that it does not have, or to outages. */
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
const ELSEWHERE = ['wal.recover', 'wal.adopt.afterClaim', 'hint.beforeRemove']

test('every failpoint is either tried here or known not to be on the way', () => {
  const known: readonly string[] = [...STEPS, ...ELSEWHERE]
  expect(
    FAILPOINTS.filter((name) => !known.includes(name) && !/^(?:redis|s3)\./.test(name)),
  ).toEqual([])
})

test.each(STEPS)('killed at %s', async (step) => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-erase-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const child = spawn(process.execPath, [RUN, CHILD, directory, step], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  expect(signal, output).toBe('SIGKILL')
  // What the log writes down later may come after the receipt.
  expect(output).toMatch(/^saved\n/)

  const history = await openChatHistory(eraseOptions(directory))
  onTestFinished(() => history.close())
  if ((await history.listErasures()).length === 0) await history.eraseConversation('doomed')
  await expect
    .poll(async () => (await history.listErasures()).every(({ complete }) => complete), {
      timeout: 30_000,
    })
    .toBe(true)
  expect((await history.getHistory('doomed')).messages).toEqual([])
  expect(await history.countMessages('kept')).toBe(KEPT_MESSAGES)
  expect(await filesWith(directory, CANARY)).toEqual([])
  await history.flush()
  await history.close()
  expect(await filesWith(directory, CANARY)).toEqual([])

  const again = await openChatHistory(eraseOptions(directory))
  onTestFinished(() => again.close())
  expect(await again.countMessages('kept')).toBe(KEPT_MESSAGES)
  expect(await again.countMessages('doomed')).toBe(0)
})

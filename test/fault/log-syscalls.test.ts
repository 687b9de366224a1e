// Goal: a process whose log gets EIO from a sync or ENOSPC from a write goes on, and acknowledges
// nothing that is lost when it is killed then.
// Method: calls of the real process on its real log are made to fail while it saves and reads; the
// process is killed and started again; the history of its calls is checked.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkHistory } from '../../src/testing/history-checker/check-history.ts'
import { BuiltCli } from '../integration/cli-process.ts'
import { leaveOut } from './support/required-fault.ts'
import { failSyscalls, syscallFaultsMissing } from './support/syscall-faults.ts'
import { recordedIn, WorkerProcess } from './support/worker-process.ts'

const FAULT_MS = 800
const DEADLINE_MS = 10_000
const missing = syscallFaultsMissing()
if (missing !== undefined) leaveOut('EIO and ENOSPC of the log', missing)

const built = new BuiltCli()

describe.skipIf(missing !== undefined)('a process whose log gets errors of the disk', () => {
  test.each([
    { fault: 'EIO', scope: 'segment' },
    { fault: 'EIO', scope: 'log' },
    { fault: 'ENOSPC', scope: 'segment' },
    { fault: 'ENOSPC', scope: 'log' },
  ] as const)(
    'goes on, and loses nothing, when $fault comes from its $scope',
    { timeout: 120_000 },
    async ({ fault, scope }) => {
      const home = await mkdtemp(join(tmpdir(), 'everthread-syscalls-'))
      onTestFinished(() => rm(home, { recursive: true, force: true }))
      const walDirectory = join(home, 'wal')
      await mkdir(walDirectory)
      const log = join(home, 'process.jsonl')
      // As a life before leaves it that was killed in the middle of a line: the history is whole all the same.
      await writeFile(log, '{"call":"p1.0.1","rec')
      const worker = new WorkerProcess({
        entry: built.entry,
        name: 'p1',
        log,
        writers: 2,
        conversations: ['a', 'b'],
        clearEvery: 60,
        options: {
          primary: { type: 'sqlite', path: join(home, 'primary.db') },
          backup: { type: 'sqlite', path: join(home, 'backup.db') },
          wal: { type: 'file', filePath: walDirectory },
        },
      })
      onTestFinished(() => worker.end())
      await worker.start()
      const acknowledged = (): number =>
        recordedIn([log]).records.filter(
          ({ kind, outcome }) => kind === 'append' && outcome === 'ok',
        ).length
      await expect.poll(acknowledged, { timeout: 30_000 }).toBeGreaterThan(20)

      const { pid } = worker
      const failed = await failSyscalls({ pid, walDirectory, fault, scope, ms: FAULT_MS })
      expect(failed).toBeGreaterThan(0)
      await worker.kill()
      await worker.start()
      const before = acknowledged()
      await expect.poll(acknowledged, { timeout: 30_000 }).toBeGreaterThan(before + 20)

      await worker.ask('stop', 'stopped')
      await expect.poll(() => worker.ask('drain', 'drain'), { timeout: 60_000 }).toBe('drain: done')
      expect(await worker.ask('read', 'read')).toBe('read {"owed":0,"primary":0,"backup":0}')
      const { records } = recordedIn([log])
      const options = { clockToleranceMs: 5, deadlineMs: DEADLINE_MS }
      expect(checkHistory({ records }, options)).toEqual([])
      // Two of three places were there all the while.
      expect(
        records.filter(
          ({ outcome, ...record }) =>
            outcome !== 'ok' && !('abandoned' in record && record.abandoned === true),
        ),
      ).toEqual([])
    },
  )
})

// Goal: on a real kernel a log is taken over as soon as its owner is dead, and never before: from namespaces of
//   its own, while it is stopped, whatever the wall clock says.
// Method: processes with pid, network and mount namespaces of their own, on one folder; signals; a folder that goes.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Operation } from '../../src/core/operation.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { readOperations, refuses } from '../../src/testing/wal/context.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const OWNER = fileURLToPath(new URL('./file-wal-owner.ts', import.meta.url))
const UNSHARE = ['unshare', '--pid', '--fork', '--net', '--mount-proc', '--kill-child']
const operation = (i: number): Operation => append('key', stampAt(i), `value ${i}`)

/** A folder for logs whose path is longer than a socket address may be. */
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'everthread-owner-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return join(path, 'x'.repeat(120))
}

/** Starts an owner; resolves when it has its log, with its process id here. */
async function startOwner(directory: string, prefix: readonly string[]): Promise<number> {
  const [command, ...args] = [...prefix, process.execPath, RUN, OWNER, directory]
  const child: ChildProcess = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout!, 'data')
  if (prefix.length === 0) return child.pid!
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
  return Number(children.trim())
}

async function openHere(directory: string): Promise<FileWal> {
  // Hours ahead of the owner, who is silent all the while.
  const env = { ...nodeEnv(), now: () => Date.now() + 36_000_000 }
  const wal = new FileWal(env, { directory, heartbeatMs: 10 })
  await wal.open('here')
  onTestFinished(() => wal.close())
  return wal
}

const isPrivileged =
  process.platform === 'linux' && spawnSync(UNSHARE[0]!, [...UNSHARE.slice(1), 'true']).status === 0

interface Where {
  readonly where: string
  readonly prefix: readonly string[]
}

const PLACES: readonly Where[] = [
  { where: 'the same namespaces', prefix: [] },
  ...(isPrivileged ? [{ where: 'namespaces of its own', prefix: UNSHARE }] : []),
]

describe.skipIf(process.platform !== 'linux').each(PLACES)('an owner in $where', ({ prefix }) => {
  test('that is stopped keeps its log, and once it is killed another process has it', async () => {
    const directory = folder()
    const pid = await startOwner(directory, prefix)
    process.kill(pid, 'SIGSTOP')
    const wal = await openHere(directory)
    const own = await openHere(directory)
    await own.append([operation(2)])
    await own.close()
    // Taken over by the heartbeat that passes the owner by.
    await eventually(async () =>
      expect(await readOperations(wal, 'primary')).toEqual([operation(2)]),
    )
    process.kill(pid, 'SIGKILL')
    await eventually(async () => expect(await readOperations(wal, 'primary')).toHaveLength(2))
  })
})

test('when the folder of the logs is removed the log goes on in a new one, with what it had', async () => {
  const directory = folder()
  const wal = new FileWal(nodeEnv(), { directory, heartbeatMs: 20_000 })
  await wal.open('writer')
  for (const i of [1, 2, 3]) await wal.append([operation(i)])
  wal.acknowledge('primary', [2])
  wal.acknowledge('backup', [2])
  rmSync(directory, { recursive: true })
  await refuses(wal.append([operation(4)]), 'UNAVAILABLE', 'unknown')
  await eventually(() => expect(wal.stats().state).toBe('open'))
  expect(await wal.append([operation(5)])).toBe(4)
  await wal.close()
  const again = new FileWal(nodeEnv(), { directory })
  await again.open('again')
  onTestFinished(() => again.close())
  expect(await readOperations(again, 'primary')).toEqual([1, 3, 5].map(operation))
})

// What can go wrong with three processes and their servers. Each fault ends what it began.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { FaultProxy } from '../../../src/testing/fault-proxy.ts'
import type { PostgresServer } from '../../support/postgres-server.ts'
import type { RedisServer } from '../../support/redis-server.ts'
import { leaveOut } from './required-fault.ts'
import { fillDisk } from './small-disk.ts'
import { failSyscalls, syscallFaultsMissing } from './syscall-faults.ts'
import type { WorkerProcess } from './worker-process.ts'

export type Layout = 'one shared log' | 'a log in files for each'

/** How long what is stopped stays so. Milliseconds. */
export const PAUSE_MS = 1_500
/** The wall clock of a process is off by no more than this, either way. Milliseconds. */
export const CLOCK_JUMP_MS_MAX = 3_600_000
/** Jumps of one fault: the last one stays. */
const CLOCK_JUMPS_MAX = 4

export interface Fault {
  readonly name: string
  /** Resolves when it is over, with its name if there is more to say. */
  readonly run: () => Promise<string | void>
}

export interface FaultTargets {
  readonly layout: Layout
  readonly sqlitePath: string
  readonly walDirectory: string
  /** That folder is on a disk of its own. */
  readonly canFill: boolean
  readonly workers: readonly WorkerProcess[]
  readonly servers: { readonly redis: RedisServer; readonly postgres: PostgresServer }
  readonly toRedis: FaultProxy
  readonly toPostgres: FaultProxy
  readonly random: () => number
}

export function faultsOf(targets: FaultTargets): readonly Fault[] {
  const { layout, servers, sqlitePath, toRedis, toPostgres, random } = targets
  const { redis, postgres } = servers
  return [
    ...processFaults(targets),
    { name: 'sqlite locked', run: () => lockSqlite(sqlitePath) },
    ...serverFaults('postgres', postgres, random),
    ...networkFaults('postgres', toPostgres, random),
    ...(layout === 'one shared log'
      ? [...serverFaults('redis', redis, random), ...networkFaults('redis', toRedis, random)]
      : diskFaults(targets)),
  ]
}

/** `3 redis killed, 2 process stopped`. */
export function tally(names: readonly string[]): string {
  const kinds = [...new Set(names)].sort()
  return kinds.map((kind) => `${names.filter((name) => name === kind).length} ${kind}`).join(', ')
}

function oneOf<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)]!
}

function processFaults({ workers, random }: FaultTargets): readonly Fault[] {
  return [
    {
      name: 'process killed',
      run: async () => {
        const worker = oneOf(workers, random)
        await worker.kill()
        await worker.start()
      },
    },
    {
      name: 'process stopped',
      run: async () => {
        const worker = oneOf(workers, random)
        worker.pause()
        await delay(PAUSE_MS)
        worker.resume()
      },
    },
    {
      name: 'clock jumped',
      run: async () => {
        const worker = oneOf(workers, random)
        for (let left = 1 + Math.floor(random() * CLOCK_JUMPS_MAX); left > 0; left--) {
          await worker.shiftClock(clockOffset(random))
          await delay(100 + random() * 500)
        }
      },
    },
  ]
}

/** Right, off by some seconds, by minutes, or by more than a stamp is followed for. Milliseconds. */
function clockOffset(random: () => number): number {
  const most = oneOf([0, 5_000, 140_000, CLOCK_JUMP_MS_MAX], random)
  return Math.round((2 * random() - 1) * most)
}

function serverFaults(
  name: string,
  server: RedisServer | PostgresServer,
  random: () => number,
): readonly Fault[] {
  return [
    {
      name: `${name} killed`,
      run: async () => {
        await server.kill()
        await delay(PAUSE_MS * random())
        await server.restart()
      },
    },
    {
      name: `${name} stopped`,
      run: async () => {
        server.pause()
        await delay(PAUSE_MS)
        server.resume()
      },
    },
  ]
}

function networkFaults(name: string, proxy: FaultProxy, random: () => number): readonly Fault[] {
  return [
    {
      name: `${name} reset`,
      run: async () => {
        await proxy.set({ kind: 'refuse' })
        proxy.killAll()
        await delay(PAUSE_MS * random())
        await proxy.set({ kind: 'pass' })
      },
    },
    {
      name: `${name} replies lost`,
      run: async () => {
        await proxy.set({ kind: 'drop', direction: 'down' })
        await delay(200)
        await proxy.set({ kind: 'refuse' })
        proxy.killAll()
        await proxy.set({ kind: 'pass' })
      },
    },
    {
      name: `${name} black hole`,
      run: async () => {
        await proxy.set({ kind: 'black-hole' })
        await delay(PAUSE_MS)
        await proxy.set({ kind: 'pass' })
      },
    },
  ]
}

function diskFaults({ workers, walDirectory, canFill, random }: FaultTargets): readonly Fault[] {
  const faults: Fault[] = []
  if (canFill) {
    faults.push({ name: 'log disk full', run: () => fillDisk(walDirectory, PAUSE_MS) })
  }
  const missing = syscallFaultsMissing()
  if (missing !== undefined) {
    leaveOut('EIO and ENOSPC of the log', missing)
    return faults
  }
  for (const fault of ['EIO', 'ENOSPC'] as const) {
    for (const scope of ['segment', 'log'] as const) {
      const name = `${fault} of a ${scope}`
      faults.push({
        name,
        run: async () => {
          const { pid } = oneOf(workers, random)
          const ms = PAUSE_MS * (0.2 + random())
          const failed = await failSyscalls({ pid, walDirectory, fault, scope, ms })
          return failed === 0 ? `${name} (without effect)` : name
        },
      })
    }
  }
  return faults
}

/** Another program holds the write lock for a while. */
async function lockSqlite(path: string): Promise<void> {
  const program = `
    import { DatabaseSync } from '@photostructure/sqlite'
    const database = new DatabaseSync(process.argv[1])
    database.exec('PRAGMA busy_timeout = 5000')
    database.exec('BEGIN IMMEDIATE')
    setTimeout(() => { database.exec('ROLLBACK'); database.close() }, ${PAUSE_MS})`
  const args = ['--input-type=module', '--eval', program, path]
  const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: 'ignore' })
  await once(child, 'exit')
}

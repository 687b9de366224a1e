// System calls of a running process that fail on demand, by strace. The calls are not made: this
// shows what the process does with an error, not what a file system lost by it.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** What fails: `EIO` when it writes or syncs, `ENOSPC` when it writes. */
export type SyscallFault = 'EIO' | 'ENOSPC'
/**
 * Where: the segment that is being written and the one made ready, so that a new one helps; or
 * everything that the log writes to, as when the disk is gone.
 */
export type SyscallScope = 'segment' | 'log'

const CALLS: Readonly<Record<SyscallFault, string>> = {
  // A write is also a sync where the file was opened with O_DSYNC.
  EIO: 'pwrite64,fdatasync,fsync',
  ENOSPC: 'write,pwrite64,writev,pwritev,fallocate',
}
/** Names of segments that are yet to be made: more than any run gets through in a fault. */
const SPARES_MAX = 400
const ATTACH_MS_MAX = 10_000
const DETACH_MS_MAX = 5_000

/** Why no call can be made to fail here; undefined where it works. */
export function syscallFaultsMissing(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has strace'
  const args = ['-qq', '-o', '/dev/null', '-e', 'trace=none', 'true']
  const { error, status, stderr } = spawnSync('strace', args, { encoding: 'utf8' })
  if (error !== undefined) return `strace does not start: ${error.message}`
  return status === 0 ? undefined : `strace does not work here: ${stderr.trim()}`
}

export interface SyscallFaultOptions {
  readonly pid: number
  /** Folder of the logs of all processes. */
  readonly walDirectory: string
  readonly fault: SyscallFault
  readonly scope: SyscallScope
  readonly ms: number
}

/** Lets the calls of one process on its log fail for a while. Resolves with how many did. */
export async function failSyscalls(options: SyscallFaultOptions): Promise<number> {
  const { pid, fault, scope, ms } = options
  const open = openSegments(options)
  if (open.length === 0) return 0
  const folders = [...new Set(open.map((path) => dirname(path)))]
  const paths = scope === 'segment' ? open : [...open, ...folders.flatMap(yetToBeMade)]
  const folder = await mkdtemp(join(tmpdir(), 'everthread-strace-'))
  const output = join(folder, 'calls')
  const child = spawn(
    'strace',
    ['-f', '-o', output, '-p', String(pid), '-e', `trace=${CALLS[fault]}`]
      .concat('-e', `inject=${CALLS[fault]}:error=${fault}`)
      .concat(paths.flatMap((path) => ['-P', path])),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const exited = once(child, 'exit')
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  try {
    const until = performance.now() + ATTACH_MS_MAX
    while (!said.includes('attached')) {
      if (child.exitCode !== null || performance.now() > until) {
        throw new Error(`strace did not attach: ${said}`)
      }
      await delay(5)
    }
    await delay(ms)
  } finally {
    child.kill('SIGINT')
    const timer = setTimeout(kill, DETACH_MS_MAX)
    await exited
    clearTimeout(timer)
    process.off('exit', kill)
  }
  const failed = readFileSync(output, 'utf8').match(/\(INJECTED\)/g)?.length ?? 0
  await rm(folder, { recursive: true, force: true })
  return failed
}

/** What the process has open of its log to write to. */
function openSegments({ pid, walDirectory }: SyscallFaultOptions): string[] {
  const folder = `/proc/${pid}/fd`
  const paths = readdirSync(folder).map((fd) => {
    try {
      return readlinkSync(join(folder, fd))
    } catch {
      // Closed meanwhile.
      return ''
    }
  })
  const ofLog = paths.filter((path) => dirname(dirname(path)) === walDirectory)
  return [...new Set(ofLog.filter((path) => /\.(wal|tmp)$/.test(basename(path))))]
}

/** New segments and what the log knows of itself are written under these names, in this folder. */
function yetToBeMade(directory: string): string[] {
  const spares = Array.from({ length: SPARES_MAX }, (_, n) => join(directory, `spare-${n}.tmp`))
  return [directory, join(directory, 'meta.tmp'), ...spares]
}

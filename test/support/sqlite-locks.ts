import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'

export interface FileLocks {
  /** Of the file and its `-shm`: those without a lock, although SQLite holds one as long as it is open. */
  readonly unlocked: readonly string[]
  /** Of the file, its `-wal` and `-shm`: those held open that have no name any more. */
  readonly deleted: readonly string[]
}

export const ALL_HELD: FileLocks = { unlocked: [], deleted: [] }

/** What Linux knows of a process and a SQLite file in WAL mode (proc_locks(5), proc_pid_fd(5)). */
export function locksOf(pid: number, path: string): FileLocks {
  const locked = lockedInodes(pid)
  const open = openFiles(pid).filter((name) => name.startsWith(path))
  return {
    unlocked: [path, `${path}-shm`].filter((file) => !locked.has(inodeOf(file))),
    deleted: open.filter((name) => name.endsWith(' (deleted)')),
  }
}

/** 0 for a file that is not there. */
function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0
}

/** `1: POSIX  ADVISORY  READ 4242 fe:00:131 128 128`: kind, process, device and inode, range. */
export function lockedInodes(pid: number): Set<number> {
  const lines = readFileSync('/proc/locks', 'utf8').split('\n')
  const own = lines
    .map((line) => /POSIX\s+ADVISORY\s+\w+\s+(\d+)\s+[\da-f]+:[\da-f]+:(\d+)/.exec(line))
    .filter((match) => match !== null && Number(match[1]) === pid)
  return new Set(own.map((match) => Number(match![2])))
}

function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      // It was closed meanwhile.
      return []
    }
  })
}

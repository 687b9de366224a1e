import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process and its direct children, itself first. */
export function processTree(pid: number): number[] {
  return [pid, ...(childrenInProc(pid) ?? childrenByPs(pid))]
}

/** At once: `ps` would stop this process, and whatever it measures, for some 20 ms and more. */
function childrenInProc(pid: number): number[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.trim() === '' ? [] : text.trim().split(' ').map(Number)
  } catch {
    // Not Linux, a kernel without it, or a process that has ended.
    return undefined
  }
}

function childrenByPs(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child!)
}

/** Signals one process; one that has ended meanwhile is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

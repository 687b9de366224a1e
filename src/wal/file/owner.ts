/*
 * A log is one directory whose name says who owns it:
 *
 *   w-<boot>-<pid namespace>-<pid>-<start time>-<random>   a process
 *   w-free-<random>                                        nobody: it was closed in order
 *   trash-<random>                                         nobody: its entries are in another log
 *
 * So taking over a dead owner's log is one atomic rename, and there is no lock file to go stale.
 */
import { hash } from 'node:crypto'
import type { DiskEntry } from '../../core/disk.ts'
import type { Env, ProcessIdentity } from '../../core/env.ts'
import { HEARTBEAT_STALE_MS } from './limits.ts'

const OWNED_PATTERN = /^w-([0-9a-f]{12})-([0-9A-Za-z_]+)-(\d+)-([0-9A-Za-z_]+)-([0-9a-f]{16})$/
const FREE_PATTERN = /^w-free-[0-9a-f]{16}$/
const TRASH_PATTERN = /^trash-[0-9a-f]{16}$/

export type OwnerState = 'alive' | 'dead' | 'free'

export function ownedName(env: Env): string {
  const { bootId, pidNamespace, pid, startTime } = env.process.self
  const parts = [shortBoot(bootId), plain(pidNamespace), String(pid), plain(startTime)]
  return `w-${parts.join('-')}-${randomHex(env)}`
}

export function freeName(env: Env): string {
  return `w-free-${randomHex(env)}`
}

export function trashName(env: Env): string {
  return `trash-${randomHex(env)}`
}

export function isTrash({ name, kind }: DiskEntry): boolean {
  return kind === 'directory' && TRASH_PATTERN.test(name)
}

/** True for the directory of a log, whoever owns it. A symbolic link is none. */
export function isLog({ name, kind }: DiskEntry): boolean {
  return kind === 'directory' && (FREE_PATTERN.test(name) || OWNED_PATTERN.test(name))
}

/** The owner that a name tells of; undefined for a log that is free. */
export function ownerOf(name: string, self: ProcessIdentity): ProcessIdentity | undefined {
  const match = OWNED_PATTERN.exec(name)
  if (match === null) return undefined
  const [, boot, pidNamespace, pid, startTime] = match
  return {
    bootId: boot === shortBoot(self.bootId) ? self.bootId : `another boot: ${boot}`,
    pidNamespace: original(pidNamespace!),
    pid: Number(pid),
    startTime: original(startTime!),
  }
}

/** Whether somebody may still write to the log. */
export function ownerState(env: Env, { name, modifiedMs }: DiskEntry): OwnerState {
  const owner = ownerOf(name, env.process.self)
  if (owner === undefined) return 'free'
  const state = env.process.state(owner)
  if (state !== 'unknown') return state
  // A process of another container: only its sign of life tells.
  return env.now() - modifiedMs > HEARTBEAT_STALE_MS ? 'dead' : 'alive'
}

function randomHex(env: Env): string {
  return Buffer.from(env.randomBytes(8)).toString('hex')
}

function shortBoot(bootId: string): string {
  return hash('sha1', bootId, 'hex').slice(0, 12)
}

/** Letters and digits stay; anything else becomes `_` and four hex digits. */
function plain(text: string): string {
  return text.replace(
    /[^0-9A-Za-z]/g,
    (unit) => `_${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function original(text: string): string {
  return text.replace(/_([0-9a-f]{4})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

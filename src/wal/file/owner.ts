/*
 * A log is one directory whose name says who owns it:
 *
 *   w-<boot>-<pid namespace>-<pid>-<start time>-<random>   a process
 *   w-free-<random>                                        nobody: it was closed in order
 *   trash-<random>                                         nobody: its entries are in another log
 *
 * So taking over a dead owner's log is one atomic rename, and there is no lock file to go stale. Whether an
 * owner is dead says the socket `alive-<random>` in its directory.
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import type { DiskEntry } from '../../core/disk.ts'
import type { Env, ProcessIdentity } from '../../core/env.ts'

const OWNED_PATTERN = /^w-([0-9a-f]{12})-([0-9A-Za-z_]+)-(\d+)-([0-9A-Za-z_]+)-([0-9a-f]{16})$/
const FREE_PATTERN = /^w-free-[0-9a-f]{16}$/
const TRASH_PATTERN = /^trash-[0-9a-f]{16}$/
const SOCKET_PATTERN = /^alive-[0-9a-f]{16}(\.tmp)?$/

/** Both stand in a name for what its owner did not know. */
const NO_BOOT = '000000000000'
const NO_NAMESPACE = '0'

/** `unknown`: one look does not tell; see `Silence`. */
export type OwnerState = 'alive' | 'dead' | 'free' | 'unknown'

export function ownedName(env: Env): string {
  const { bootId, pidNamespace, pid, startTime } = env.process.self
  const parts = [
    shortBoot(bootId),
    plain(pidNamespace ?? NO_NAMESPACE),
    String(pid),
    plain(startTime),
  ]
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

/** The socket that the owner of this name listens at; undefined for a log that is free. */
export function socketName(name: string): string | undefined {
  const random = OWNED_PATTERN.exec(name)?.[5]
  return random === undefined ? undefined : `alive-${random}`
}

/** True for a socket of an owner, former ones included. */
export function isSocket({ name, kind }: DiskEntry): boolean {
  return kind === 'socket' && SOCKET_PATTERN.test(name)
}

/** The owner that a name tells of; undefined for a log that is free. */
function ownerOf(name: string, self: ProcessIdentity): ProcessIdentity | undefined {
  const match = OWNED_PATTERN.exec(name)
  if (match === null) return undefined
  const [, boot, pidNamespace, pid, startTime] = match
  return {
    bootId: bootOf(boot!, self),
    pidNamespace: pidNamespace === NO_NAMESPACE ? undefined : original(pidNamespace!),
    pid: Number(pid),
    startTime: original(startTime!),
  }
}

/**
 * Whether somebody may still write to a log in this directory. Only the kernel's word counts as a proof of
 * death, and only of a process that ran on this very kernel: nobody listens at its socket, or, where it could make
 * none, its process id is nobody's. No clock has a say.
 */
export async function ownerState(
  env: Env,
  directory: string,
  { name }: DiskEntry,
): Promise<OwnerState> {
  const { self } = env.process
  const owner = ownerOf(name, self)
  if (owner === undefined) return 'free'
  if (self.bootId === undefined || owner.bootId !== self.bootId) return 'unknown'
  const socket = await env.disk.probe(join(directory, name, socketName(name)!))
  if (socket === 'listening') return 'alive'
  return socket === 'refused' ? 'dead' : env.process.state(owner)
}

function randomHex(env: Env): string {
  return Buffer.from(env.randomBytes(8)).toString('hex')
}

function bootOf(short: string, self: ProcessIdentity): string | undefined {
  if (short === NO_BOOT) return undefined
  return short === shortBoot(self.bootId) ? self.bootId : `another boot: ${short}`
}

function shortBoot(bootId: string | undefined): string {
  return bootId === undefined ? NO_BOOT : hash('sha1', bootId, 'hex').slice(0, 12)
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

import { dirname, join } from 'node:path'
import type { Env } from '../../core/env.ts'
import { DEAD_LETTERS_NAME, DEAD_LETTERS_TEMPORARY } from './dead-letters.ts'
import { META_NAMES, META_TEMPORARY } from './meta.ts'
import { freeName, isLog, isTrash, ownedName, ownerState, trashName } from './owner.ts'
import { SPARE_PATTERN } from './spare.ts'
import { parseSegmentName } from './segment-header.ts'

/** A log's directory that this process has taken over. */
export interface Claimed {
  readonly path: string
  /** Its name before. */
  readonly formerName: string
}

/** The directory that the logs of all processes of a machine are in. */
export class LogDirectory {
  readonly path: string
  readonly #env: Env

  constructor(env: Env, path: string) {
    this.#env = env
    this.path = path
  }

  /**
   * Makes it where it is missing. Every directory on the way is synced, also those that are there
   * already: a process that made them may have died before it came to that.
   */
  async make(): Promise<void> {
    await this.#env.disk.makeDirectory(this.path)
    for (let path = this.path; dirname(path) !== path; path = dirname(path)) {
      try {
        await this.#env.disk.syncDirectory(dirname(path))
      } catch (error) {
        // Nobody without the right to read it made anything in it.
        if (!isForbidden(error)) throw error
        return
      }
    }
  }

  /** Names of logs whose owners are gone. */
  async abandoned(): Promise<readonly string[]> {
    const entries = await this.#env.disk.list(this.path)
    return entries
      .filter((entry) => isLog(entry) && ownerState(this.#env, entry) !== 'alive')
      .map(({ name }) => name)
      .sort()
  }

  /** Names of all logs but the one at this path, and of what is about to be removed. */
  async others(path: string): Promise<readonly string[]> {
    const entries = await this.#env.disk.list(this.path)
    return entries
      .filter((entry) => (isLog(entry) || isTrash(entry)) && join(this.path, entry.name) !== path)
      .map(({ name }) => name)
      .sort()
  }

  /** Makes this process the owner. Undefined when another one was quicker. */
  async claim(formerName: string): Promise<Claimed | undefined> {
    const path = join(this.path, ownedName(this.#env))
    try {
      await this.#env.disk.rename(join(this.path, formerName), path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    await this.#env.disk.syncDirectory(this.path)
    await this.#env.failpoints.hit('wal.adopt.afterClaim')
    return { path, formerName }
  }

  /** A new log of this process. Returns its path. */
  async create(): Promise<string> {
    const path = join(this.path, ownedName(this.#env))
    await this.#env.disk.makeDirectory(path)
    await this.#env.disk.syncDirectory(this.path)
    return path
  }

  /** Gives a claimed log back under its former name: what is wrong with it is left as it was. */
  async giveBack({ path, formerName }: Claimed): Promise<void> {
    await this.#env.disk.rename(path, join(this.path, formerName))
    await this.#env.disk.syncDirectory(this.path)
  }

  /** Leaves the log to whoever opens next. */
  async free(path: string): Promise<void> {
    await this.#env.disk.rename(path, join(this.path, freeName(this.#env)))
    await this.#env.disk.syncDirectory(this.path)
  }

  /** Removes a log whose entries are all in another one. */
  async discard(path: string): Promise<void> {
    const trash = join(this.path, trashName(this.#env))
    // At once for everybody: half a log must never be taken for a damaged one.
    await this.#env.disk.rename(path, trash)
    await this.#env.disk.syncDirectory(this.path)
    await this.#remove(trash)
  }

  /** Removes what earlier processes did not get round to. */
  async sweep(): Promise<void> {
    for (const entry of await this.#env.disk.list(this.path)) {
      if (isTrash(entry)) await this.#remove(join(this.path, entry.name))
    }
  }

  /** Removes the unfinished files in a log of this process. */
  async tidy(path: string): Promise<void> {
    for (const { name, kind } of await this.#env.disk.list(path)) {
      if (kind === 'file' && isTemporary(name)) await this.#env.disk.remove(join(path, name))
    }
  }

  async #remove(path: string): Promise<void> {
    const { disk } = this.#env
    try {
      let strange = false
      for (const { name, kind } of await disk.list(path)) {
        if (kind === 'file' && isOurs(name)) await disk.remove(join(path, name))
        else strange = true
      }
      if (!strange) await disk.removeDirectory(path)
    } catch (error) {
      // Two processes may sweep at once.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

function isForbidden(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
}

function isTemporary(name: string): boolean {
  return name === META_TEMPORARY || name === DEAD_LETTERS_TEMPORARY || SPARE_PATTERN.test(name)
}

function isOurs(name: string): boolean {
  return (
    isTemporary(name) ||
    name === DEAD_LETTERS_NAME ||
    META_NAMES.includes(name) ||
    parseSegmentName(name) !== undefined
  )
}

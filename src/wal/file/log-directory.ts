import { basename, dirname, join } from 'node:path'
import type { DiskEntry } from '../../core/disk.ts'
import type { Env } from '../../core/env.ts'
import { DEAD_LETTERS_NAME, DEAD_LETTERS_TEMPORARY } from './dead-letters.ts'
import { META_NAMES, META_TEMPORARY } from './meta.ts'
import { HEARTBEAT_NAME, HEARTBEAT_TEMPORARY, Life, shownBy, tryListen } from './life.ts'
import {
  freeName,
  isLog,
  isSocket,
  isTrash,
  ownedName,
  ownerState,
  socketName,
  trashName,
} from './owner.ts'
import { Silence } from './silence.ts'
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
  readonly #silence = new Silence()
  /** Of the logs that this process owns, by their paths. */
  readonly #lives = new Map<string, Life>()

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
    const logs = (await this.#env.disk.list(this.path)).filter(isLog)
    this.#silence.keep(new Set(logs.map(({ name }) => name)))
    const abandoned: string[] = []
    for (const entry of logs) if (await this.#isAbandoned(entry)) abandoned.push(entry.name)
    return abandoned.sort()
  }

  /** Shows others that this process lives. Rejects with code `ENOENT` when this log of it is gone. */
  async show(path: string): Promise<void> {
    for (const life of this.#lives.values()) {
      try {
        await life.show()
      } catch (error) {
        if (life.path === path) throw error
      }
    }
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
    const name = ownedName(this.#env)
    const path = join(this.path, name)
    const socket = socketName(name)!
    // Before the name says who the owner is: without it the owner would seem dead.
    const listener = await tryListen(this.#env, join(this.path, formerName, socket))
    try {
      await this.#env.disk.rename(join(this.path, formerName), path)
    } catch (error) {
      await listener?.remove()
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    this.#lives.set(path, new Life(this.#env, path, socket, listener))
    return await this.#orForget(path, async () => {
      await this.#env.disk.syncDirectory(this.path)
      await this.#env.failpoints.hit('wal.adopt.afterClaim')
      return { path, formerName }
    })
  }

  /** A new log of this process. Returns its path. */
  async create(): Promise<string> {
    const name = ownedName(this.#env)
    const path = join(this.path, name)
    const socket = socketName(name)!
    await this.#env.disk.makeDirectory(path)
    const listener = await tryListen(this.#env, join(path, socket))
    this.#lives.set(path, new Life(this.#env, path, socket, listener))
    return await this.#orForget(path, async () => {
      await this.#env.disk.syncDirectory(this.path)
      return path
    })
  }

  /** Gives a claimed log back under its former name: what is wrong with it is left as it was. */
  async giveBack({ path, formerName }: Claimed): Promise<void> {
    try {
      await this.#env.disk.rename(path, join(this.path, formerName))
      await this.#env.disk.syncDirectory(this.path)
    } finally {
      await this.forget(path)
    }
  }

  /** Leaves the log to whoever opens next. */
  async free(path: string): Promise<void> {
    await this.#env.disk.rename(path, join(this.path, freeName(this.#env)))
    await this.#env.disk.syncDirectory(this.path)
    await this.#lives.get(path)?.leave()
    this.#lives.delete(path)
  }

  /** This process has nothing to do with the log any more. Whoever looks at it next may take it over. */
  async forget(path: string): Promise<void> {
    await this.#lives.get(path)?.end()
    this.#lives.delete(path)
  }

  /** Removes a log whose entries are all in another one. */
  async discard(path: string): Promise<void> {
    const trash = join(this.path, trashName(this.#env))
    try {
      // At once for everybody: half a log must never be taken for a damaged one.
      await this.#env.disk.rename(path, trash)
      await this.#env.disk.syncDirectory(this.path)
    } finally {
      await this.forget(path)
    }
    await this.#remove(trash)
  }

  /** Removes what earlier processes did not get round to. */
  async sweep(): Promise<void> {
    for (const entry of await this.#env.disk.list(this.path)) {
      if (isTrash(entry)) await this.#remove(join(this.path, entry.name))
    }
  }

  /** Removes the unfinished files in a log of this process, and the sockets of its former owners. */
  async tidy(path: string): Promise<void> {
    const own = socketName(basename(path))
    for (const entry of await this.#env.disk.list(path)) {
      const { name, kind } = entry
      const isLeft = kind === 'file' ? isTemporary(name) : isSocket(entry) && name !== own
      if (isLeft) await this.#env.disk.remove(join(path, name))
    }
  }

  async #orForget<T>(path: string, step: () => Promise<T>): Promise<T> {
    try {
      return await step()
    } catch (error) {
      await this.forget(path)
      throw error
    }
  }

  async #isAbandoned(entry: DiskEntry): Promise<boolean> {
    const { name, modifiedMs } = entry
    const state = await ownerState(this.#env, this.path, entry)
    if (state !== 'unknown') return state !== 'alive'
    const shown = await shownBy(this.#env, join(this.path, name), modifiedMs)
    if (shown === undefined) return false
    return this.#silence.isOver(name, shown, this.#env.monotonic())
  }

  async #remove(path: string): Promise<void> {
    const { disk } = this.#env
    try {
      let strange = false
      for (const entry of await disk.list(path)) {
        const { name, kind } = entry
        if (isSocket(entry) || (kind === 'file' && isOurs(name)))
          await disk.remove(join(path, name))
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
  const temporary = [META_TEMPORARY, DEAD_LETTERS_TEMPORARY, HEARTBEAT_TEMPORARY]
  return temporary.includes(name) || SPARE_PATTERN.test(name)
}

function isOurs(name: string): boolean {
  return (
    isTemporary(name) ||
    name === DEAD_LETTERS_NAME ||
    name === HEARTBEAT_NAME ||
    META_NAMES.includes(name) ||
    parseSegmentName(name) !== undefined
  )
}

import { join } from 'node:path'
import type { DiskListener } from '../../core/disk.ts'
import type { Env } from '../../core/env.ts'
import { messageOf } from '../../core/errors.ts'
import { readWhole } from './read-whole.ts'
import { writeAll } from './spare.ts'

/** A number that goes up: whoever sees it change knows that the owner lives. */
export const HEARTBEAT_NAME = 'heartbeat'
export const HEARTBEAT_TEMPORARY = 'heartbeat.tmp'

/**
 * How the owner of a log shows that it lives: to processes on this kernel by a socket that it listens at, to all
 * others by a number that goes up.
 */
export class Life {
  /** Where the log is. */
  readonly path: string
  readonly #env: Env
  readonly #socket: string
  #listener: DiskListener | undefined
  #count = 0

  constructor(env: Env, path: string, socket: string, listener: DiskListener | undefined) {
    this.#env = env
    this.path = path
    this.#socket = socket
    this.#listener = listener
  }

  /** Rejects with an error whose `code` is `ENOENT` when the directory is gone. */
  async show(): Promise<void> {
    const { disk } = this.#env
    const temporary = join(this.path, HEARTBEAT_TEMPORARY)
    if (await disk.exists(temporary)) await disk.remove(temporary)
    const file = await disk.open(temporary, 'create')
    try {
      await writeAll(file, Buffer.from(`${++this.#count}\n`), 0)
    } finally {
      await file.close()
    }
    await disk.rename(temporary, join(this.path, HEARTBEAT_NAME))
    await this.#listenAgain()
  }

  /** The owner has no use for the log any more: under its present name it is anybody's. */
  async end(): Promise<void> {
    await this.#listener?.close()
    this.#listener = undefined
  }

  /** The log has another name and no owner. */
  async leave(): Promise<void> {
    await this.#listener?.remove()
    this.#listener = undefined
  }

  /** Somebody may have tidied the socket away, or there was no room for it before. */
  async #listenAgain(): Promise<void> {
    const path = join(this.path, this.#socket)
    if ((await this.#env.disk.probe(path)) !== 'absent') return
    await this.end()
    this.#listener = await tryListen(this.#env, path)
  }
}

/** Without a socket the log works all the same; its death then shows later to others. */
export async function tryListen(env: Env, path: string): Promise<DiskListener | undefined> {
  try {
    return await env.disk.listen(path)
  } catch (error) {
    env.logger.debug({ error: messageOf(error), path }, 'no socket tells that the log has an owner')
    return undefined
  }
}

/** What the owner of a log showed last; undefined when that cannot be read. */
export async function shownBy(
  { disk }: Env,
  path: string,
  modifiedMs: number,
): Promise<string | undefined> {
  try {
    return (await readWhole(disk, join(path, HEARTBEAT_NAME))).toString('latin1')
  } catch (error) {
    // Releases before this one change the time of the directory instead. What clock it is from does not matter.
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return isAbsent ? `modified ${modifiedMs}` : undefined
  }
}

/*
 * Whether a path still leads to the file that was opened there. By `stat` alone: whoever else opens a
 * database file in this process takes the locks of SQLite away when it closes it (`database-file.ts`).
 */
import { rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { MEMORY } from './open-connection.ts'
import { fileIdOf } from './open-files.ts'

/** How often a read looks whether the file is still there; a write always does. Milliseconds. */
export const FILE_CHECK_MS = 100

export class FileWatch {
  readonly #path: string
  readonly #ids = new Map<string, string>()
  /** Of files that are gone. */
  readonly #identities = new Set<string>()
  #gone: string | undefined

  /** @param path Of the file; `:memory:` is never gone. */
  constructor(path: string) {
    this.#path = path === MEMORY ? MEMORY : resolve(path)
  }

  /** What became of the file, until its path was opened anew. */
  get gone(): string | undefined {
    return this.#gone
  }

  /** Notes what is there now: it has just been opened. */
  opened(): void {
    this.#gone = undefined
    this.#ids.clear()
    for (const path of this.#names) {
      const id = fileIdOf(path)
      if (id !== undefined) this.#ids.set(path, id)
    }
  }

  /** Looks, and tells what became of the file. */
  look(): string | undefined {
    const now = this.#path === MEMORY ? undefined : fileIdOf(this.#path)
    if (now === this.#ids.get(this.#path)) return this.#gone
    const what = now === undefined ? 'removed' : 'replaced by another one'
    this.#gone ??= `the SQLite file ${this.#path} was ${what} while it was open: its path is opened anew`
    return this.#gone
  }

  /**
   * Removes what a file that is gone, and closed, has left beside the path: SQLite would take it for a part
   * of the next one, and damage that. What came with the next one stays.
   */
  leave(identity: string): void {
    this.#identities.add(identity)
    for (const path of this.#names.slice(1)) {
      const id = this.#ids.get(path)
      if (id !== undefined && fileIdOf(path) === id) rmSync(path, { force: true })
    }
    this.#ids.clear()
  }

  /** True when a file with this identity is gone: here it is again, maybe with less in it. */
  hasLeft(identity: string): boolean {
    return this.#identities.has(identity)
  }

  /** The file, and what SQLite keeps beside it by its name. */
  get #names(): readonly string[] {
    return this.#path === MEMORY ? [] : ['', '-wal', '-shm'].map((end) => this.#path + end)
  }
}

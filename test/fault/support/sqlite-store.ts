import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { BuiltCli } from '../../integration/cli-process.ts'

const PROGRAM = fileURLToPath(new URL('./sqlite-store.mjs', import.meta.url))

/** Where a store of these tests keeps everything. */
export interface SqliteStorePlaces {
  readonly primary: string
  readonly backup: string
  /** Folder of the log. */
  readonly wal: string
}

/** A process of its own with a store on SQLite files, which does as it is told. */
export class SqliteStore {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'close')
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  /** The compiled package on plain Node, as a user runs it: with its threads. */
  static async start(built: BuiltCli, places: SqliteStorePlaces): Promise<SqliteStore> {
    const options = JSON.stringify({
      primary: `sqlite:${places.primary}`,
      backup: `sqlite:${places.backup}`,
      wal: `file:${places.wal}`,
    })
    const child = spawn(process.execPath, [PROGRAM, built.entry, options], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const store = new SqliteStore(child)
    await store.#answer()
    return store
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Saves this many messages, one after the other, and returns their contents once acknowledged. */
  async save(conversation: string, from: number, count: number): Promise<string[]> {
    return (await this.#ask(`save ${conversation} ${from} ${count}`)) as string[]
  }

  async read(conversation: string): Promise<string[]> {
    return (await this.#ask(`read ${conversation}`)) as string[]
  }

  async flush(): Promise<void> {
    await this.#ask('flush')
  }

  async close(): Promise<void> {
    await this.#ask('close')
    await this.#ended
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  async #ask(line: string): Promise<unknown> {
    this.#child.stdin!.write(`${line}\n`)
    return await this.#answer()
  }

  async #answer(): Promise<unknown> {
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error('the process of the store has ended')
    return JSON.parse(value) as unknown
  }
}

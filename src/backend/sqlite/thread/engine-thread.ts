import { existsSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { messageOf, StorageError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/logger.ts'
import { nodeBuiltin } from '../../../core/node-builtin.ts'
import { isShareable, type SqliteLibrary } from '../connection/driver.ts'
import type { SqliteSettings } from '../connection/open-connection.ts'
import {
  errorOf,
  type EngineReply,
  type EngineRequest,
  type EngineStart,
} from './engine-messages.ts'
import type { EngineMethod } from '../engine.ts'
import { newExitGate, waitAtExit, waitNoMore } from './exit-gate.ts'
import type { EngineHost } from './engine-host.ts'

interface Waiting {
  readonly resolve: (result: never) => void
  readonly reject: (error: Error) => void
}

type RequestBody =
  | { readonly method: EngineMethod; readonly args: readonly unknown[] }
  | { readonly method: 'open' | 'close' }

/** Beside the file that this one is in. */
const SCRIPT = 'engine-worker.js'

/** No thread could be started: nothing was asked of it. */
export class NoThread extends Error {}

/** Why an engine of this library gets no thread of its own in this program; undefined where it does. */
export function threadObstacle(library: SqliteLibrary): string | undefined {
  if (!isShareable(library)) return `${library.name} is a part of this bundle`
  return findScript() === undefined ? 'the script of its thread is not beside this file' : undefined
}

let isTold = false

/** Once a process. In a test that runs the sources there is no script, and nothing is wrong. */
export function tellOfObstacle(obstacle: string, logger: Logger): void {
  if (isTold || ownAddress()?.endsWith('.ts') === true) return
  isTold = true
  const text =
    `SQLite runs on the main thread, where a commit holds up everything else: ${obstacle}. ` +
    'Leave everthread out of the bundle (docs/deploying.md), or set threads: false'
  logger.warn({}, text)
}

function findScript(): URL | undefined {
  const own = ownAddress()
  if (own?.startsWith('file:') !== true) return undefined
  // No `new URL` of both: a bundler would copy the script without what it imports.
  const script = new URL(own.replace(/[^/]+$/, SCRIPT))
  return existsSync(script) ? script : undefined
}

/** Undefined in a bundle in CommonJS. */
function ownAddress(): string | undefined {
  return import.meta.url
}

/** An engine in a thread of its own, which keeps the process alive only while somebody waits. */
export class EngineThread implements EngineHost {
  readonly #worker: Worker
  readonly #gate = newExitGate()
  readonly #waiting = new Map<number, Waiting>()
  #settings: SqliteSettings | undefined
  #ended: StorageError | undefined
  #lastId = 0

  private constructor(start: Omit<EngineStart, 'gate'>) {
    const script = findScript()
    if (script === undefined) throw new NoThread(`there is no ${SCRIPT}`)
    // A bundler that saw the class would take the script for a module of its own.
    const { Worker } = nodeBuiltin('node:worker_threads')
    this.#worker = new Worker(script, {
      name: 'everthread-sqlite',
      workerData: { ...start, gate: this.#gate } satisfies EngineStart,
      // Loaders and the like of the application are not for it; the SQLite library must be the same.
      execArgv: process.execArgv.filter((flag) => /^--[a-z-]*sqlite$/.test(flag)),
    })
    waitAtExit(this.#gate)
    this.#worker.on('message', (reply: EngineReply) => this.#answered(reply))
    this.#worker.on('error', (error) => this.#end(messageOf(error)))
    this.#worker.on('exit', (code) => this.#end(`it ended with code ${code}`))
    this.#worker.unref()
  }

  /**
   * Rejects as the engine does; a file that is locked may be tried again.
   *
   * @throws NoThread when the thread ends before its first answer.
   */
  static async open(start: Omit<EngineStart, 'gate'>): Promise<EngineThread> {
    const thread = new EngineThread(start)
    try {
      thread.#settings = await thread.#request<SqliteSettings>({ method: 'open' })
      return thread
    } catch (error) {
      if (!thread.isAlive) throw new NoThread(messageOf(error), { cause: error })
      await thread.close()
      throw error
    }
  }

  get settings(): SqliteSettings {
    return this.#settings!
  }

  get isAlive(): boolean {
    return this.#ended === undefined
  }

  async call<T>(method: EngineMethod, ...args: readonly unknown[]): Promise<T> {
    return await this.#request<T>({ method, args })
  }

  /** After what it was asked before. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    await this.#request({ method: 'close' }).catch(() => {
      // It has ended by itself.
    })
    await this.#worker.terminate()
  }

  #request<T>(body: RequestBody): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended)
        return
      }
      const id = ++this.#lastId
      if (this.#waiting.size === 0) this.#worker.ref()
      this.#waiting.set(id, { resolve, reject })
      const request = { id, ...body } as EngineRequest
      this.#worker.postMessage(request)
    })
  }

  #answered(reply: EngineReply): void {
    const waiting = this.#waiting.get(reply.id)
    if (waiting === undefined) return
    this.#waiting.delete(reply.id)
    if (this.#waiting.size === 0) this.#worker.unref()
    if ('failure' in reply) waiting.reject(errorOf(reply.failure))
    else waiting.resolve(reply.result as never)
  }

  #end(why: string): void {
    if (this.#ended !== undefined) return
    waitNoMore(this.#gate)
    const text = `the thread of the SQLite file is gone: ${why}`
    this.#ended = new StorageError('UNAVAILABLE', text, { effect: 'unknown' })
    for (const { reject } of this.#waiting.values()) reject(this.#ended)
    this.#waiting.clear()
  }
}

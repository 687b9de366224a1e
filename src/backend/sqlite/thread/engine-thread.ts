import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { messageOf, StorageError } from '../../../core/errors.ts'
import type { SqliteSettings } from '../connection/open-connection.ts'
import {
  errorOf,
  type EngineReply,
  type EngineRequest,
  type EngineStart,
} from './engine-messages.ts'
import type { EngineMethod } from '../engine.ts'
import type { EngineHost } from './engine-host.ts'

interface Waiting {
  readonly resolve: (result: never) => void
  readonly reject: (error: Error) => void
}

type RequestBody =
  | { readonly method: EngineMethod; readonly args: readonly unknown[] }
  | { readonly method: 'open' | 'close' }

const SCRIPT = new URL('./engine-worker.js', import.meta.url)

let isThere: boolean | undefined

/** False where the script is not beside this file, as in a program that a bundler made one file of. */
export function hasEngineWorker(): boolean {
  isThere ??= SCRIPT.protocol === 'file:' && existsSync(SCRIPT)
  return isThere
}

/** An engine in a thread of its own, which keeps the process alive only while somebody waits. */
export class EngineThread implements EngineHost {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #settings: SqliteSettings | undefined
  #ended: StorageError | undefined
  #lastId = 0

  private constructor(start: EngineStart) {
    this.#worker = new Worker(SCRIPT, {
      name: 'everthread-sqlite',
      workerData: start,
      // Loaders and the like of the application are not for it; the SQLite library must be the same.
      execArgv: process.execArgv.filter((flag) => /^--[a-z-]*sqlite$/.test(flag)),
    })
    this.#worker.on('message', (reply: EngineReply) => this.#answered(reply))
    this.#worker.on('error', (error) => this.#end(messageOf(error)))
    this.#worker.on('exit', (code) => this.#end(`it ended with code ${code}`))
    this.#worker.unref()
  }

  /** Rejects as the engine does; a file that is locked may be tried again. */
  static async open(start: EngineStart): Promise<EngineThread> {
    const thread = new EngineThread(start)
    try {
      thread.#settings = await thread.#request<SqliteSettings>({ method: 'open' })
      return thread
    } catch (error) {
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
    const text = `the thread of the SQLite file is gone: ${why}`
    this.#ended = new StorageError('UNAVAILABLE', text, { effect: 'unknown' })
    for (const { reject } of this.#waiting.values()) reject(this.#ended)
    this.#waiting.clear()
  }
}

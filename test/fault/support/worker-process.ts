import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { fileURLToPath } from 'node:url'
import type { ChatHistoryOptions } from '../../../src/index.ts'
import type { HistoryRecord } from '../../../src/testing/history-checker/history.ts'

const PROGRAM = fileURLToPath(new URL('three-processes-worker.mjs', import.meta.url))
/** Longest wait for an answer of a process. Milliseconds. */
const ANSWER_MS_MAX = 90_000

export interface WorkerOptions {
  /** The compiled library. */
  readonly entry: string
  readonly options: ChatHistoryOptions
  readonly name: string
  /** Where it writes what it does. */
  readonly log: string
  readonly writers: number
  readonly conversations: readonly string[]
  /** Of one writer's calls every so many is a clear. */
  readonly clearEvery: number
}

/** A process that works on a store, and can be killed, stopped and started again. */
export class WorkerProcess {
  readonly #options: WorkerOptions
  #child: ChildProcess | undefined
  #incarnation = 0
  #output = ''
  #errors = ''
  #clockMs = 0

  constructor(options: WorkerOptions) {
    this.#options = options
    process.on('exit', () => this.#child?.kill('SIGKILL'))
  }

  async start(): Promise<void> {
    const config = { ...this.#options, incarnation: ++this.#incarnation, clockMs: this.#clockMs }
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify(config)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#output = ''
    child.stdin.on('error', () => {})
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4_000)
    })
    await this.#answer('ready')
  }

  async kill(): Promise<void> {
    const child = this.#child!
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  pause(): void {
    this.#child!.kill('SIGSTOP')
  }

  resume(): void {
    this.#child!.kill('SIGCONT')
  }

  /** Sets how far its wall clock is off. It stays so when it is started again. */
  async shiftClock(ms: number): Promise<void> {
    this.#clockMs = ms
    await this.ask(`clock ${ms}`, 'clock')
  }

  get pid(): number {
    return this.#child!.pid!
  }

  /** Sends a command and resolves with the line that begins with the word. */
  async ask(command: string, word: string): Promise<string> {
    this.#output = ''
    this.#child!.stdin!.write(`${command}\n`)
    return await this.#answer(word)
  }

  async end(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    // Open, it would keep the process from ending.
    child.stdin!.end('end\n')
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(timer)
  }

  async #answer(word: string): Promise<string> {
    const child = this.#child!
    const until = performance.now() + ANSWER_MS_MAX
    for (;;) {
      const line = this.#output.split('\n').find((text) => text.startsWith(word))
      if (line !== undefined) return line
      if (child.exitCode !== null) throw new Error(`the process ended: ${this.#errors}`)
      if (performance.now() > until) {
        throw new Error(`no answer "${word}": ${this.#output} ${this.#errors}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

interface Shown {
  readonly id: string
  readonly content: string
}

interface Line {
  readonly call: string
  readonly record?: Record<string, unknown>
  readonly settled?: Record<string, unknown> & { readonly messages?: readonly Shown[] }
  readonly error?: string
}

export interface Recorded {
  readonly records: readonly HistoryRecord[]
  readonly errors: readonly string[]
}

/** What processes wrote down. A call without an end was cut short with its process. */
export function recordedIn(files: readonly string[]): Recorded {
  const calls = new Map<string, Record<string, unknown>>()
  const errors: string[] = []
  const shared = new Map<string, object>()
  for (const file of files) {
    for (const text of linesOf(file)) {
      const { call, record, settled, error } = parse(text)
      if (record !== undefined) calls.set(call, { outcome: 'unknown', abandoned: true, ...record })
      if (settled !== undefined) {
        const once = {
          ...settled,
          ...(settled.messages && { messages: settled.messages.map(share) }),
        }
        calls.set(call, { ...calls.get(call), abandoned: false, ...once })
      }
      if (error !== undefined) errors.push(error)
    }
  }
  return { records: [...calls.values()] as unknown as HistoryRecord[], errors }

  /** A message is in hundreds of reads: kept once, an hour of them fits into memory. */
  function share(message: Shown): object {
    const key = JSON.stringify(message)
    const known = shared.get(key)
    if (known !== undefined) return known
    shared.set(key, message)
    return message
  }
}

/** Its lines, however long the file is: a string has a limit. */
function* linesOf(path: string): Iterable<string> {
  const file = openSync(path, 'r')
  try {
    const decoder = new StringDecoder('utf8')
    const buffer = Buffer.alloc(1024 * 1024)
    let rest = ''
    for (;;) {
      const count = readSync(file, buffer)
      if (count === 0) break
      const lines = (rest + decoder.write(buffer.subarray(0, count))).split('\n')
      rest = lines.pop()!
      yield* lines.filter((line) => line !== '')
    }
    if (rest !== '') yield rest
  } finally {
    closeSync(file)
  }
}

/** The last line of a process that was killed may be half written. */
function parse(text: string): Line {
  try {
    return JSON.parse(text) as Line
  } catch {
    return { call: '' }
  }
}

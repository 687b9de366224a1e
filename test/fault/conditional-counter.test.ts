// Goal: no increment of a counter is lost or counted twice by sixteen writers in two processes that set it under the
// stamp that they read, on each engine, also while the primary is killed and started again, or one of the processes.
// Method: each increment appends an item in its group, so that the counter must be as great as the list is long, all
// that was acknowledged must be in the list, and what had no effect must not.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  openChatHistory,
  type ChatHistoryOptions,
  type StrategicStorageManager,
} from '../../src/index.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import type { CounterWork } from './counter-writer.ts'
import { describeServers } from './support/describe-servers.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const PROGRAM = fileURLToPath(new URL('./counter-writer.ts', import.meta.url))
const WRITERS = 8
const WORK_MS = 1_000
const OUT_MS = 600
const START_MS_MAX = 60_000

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'everthread-counter-'))
})
afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** One of the two processes. */
class Writer {
  readonly #work: CounterWork
  #child: ChildProcess | undefined
  #output = ''
  #errors = ''

  constructor(work: CounterWork) {
    this.#work = work
    onTestFinished(() => void this.#child?.kill('SIGKILL'))
  }

  async start(): Promise<void> {
    this.#output = ''
    const child = spawn(process.execPath, [RUN, PROGRAM, JSON.stringify(this.#work)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    child.stdout.on('data', (text: Buffer) => (this.#output += text.toString()))
    child.stderr.on('data', (text: Buffer) => {
      this.#errors = (this.#errors + text.toString()).slice(-4_000)
    })
    await this.#answer('ready')
  }

  async kill(): Promise<void> {
    const ended = once(this.#child!, 'exit')
    this.#child!.kill('SIGKILL')
    await ended
  }

  async end(): Promise<void> {
    this.#child!.stdin!.write('stop\n')
    await this.#answer('ended')
  }

  async #answer(word: string): Promise<void> {
    const until = performance.now() + START_MS_MAX
    while (!this.#output.includes(word)) {
      if (this.#child!.exitCode !== null) throw new Error(`the process ended: ${this.#errors}`)
      if (performance.now() > until) throw new Error(`no answer "${word}": ${this.#errors}`)
      await delay(20)
    }
  }
}

interface Tally {
  readonly done: ReadonlySet<string>
  /** It may be in the list. */
  readonly open: ReadonlySet<string>
}

async function tallyOf(files: readonly string[]): Promise<Tally> {
  const last = new Map<string, string>()
  for (const file of files) {
    for (const line of (await readFile(file, 'utf8')).split('\n')) {
      if (line === '') continue
      try {
        const { id, what } = JSON.parse(line) as { id: string; what: string }
        last.set(id, what)
      } catch {
        // The end of a process that was killed.
      }
    }
  }
  const having = (...wanted: readonly string[]): Set<string> =>
    new Set([...last].filter(([, what]) => wanted.includes(what)).map(([id]) => id))
  return { done: having('done'), open: having('began', 'unknown') }
}

/** However long the servers take to be reached: a machine may have other work. */
async function inSync(store: StrategicStorageManager): Promise<void> {
  const isDone = async (): Promise<boolean> =>
    await store.reconcile({ scope: 'full' }).then(
      () => true,
      () => false,
    )
  await expect.poll(isDone, { timeout: 60_000, interval: 500 }).toBe(true)
}

/** Runs two processes, does the fault, ends them, and compares the counter with what was acknowledged. */
async function counted(
  primary: NonNullable<ChatHistoryOptions['primary']>,
  decide: CounterWork['decide'],
  fault: (writers: readonly Writer[]) => Promise<void>,
): Promise<void> {
  const home = await mkdtemp(join(directory, 'run-'))
  const optionsOf = (name: string): ChatHistoryOptions => ({
    primary,
    backup: `sqlite:${join(home, 'backup.db')}`,
    wal: `file:${join(home, `wal-${name}`)}`,
    write: { type: 'idempotent', config: { timeout: 3_000 } },
  })
  const own = await openChatHistory(optionsOf('own'))
  onTestFinished(() => own.close())
  await inSync(own.store)
  await own.store.set('counter', 0)
  const files = ['a', 'b'].map((name) => join(home, `${name}.jsonl`))
  const writers = ['a', 'b'].map(
    (name, i) =>
      new Writer({ options: optionsOf(name), decide, name, writers: WRITERS, file: files[i]! }),
  )
  await Promise.all(writers.map((writer) => writer.start()))
  await fault(writers)
  // However busy the machine is: they go on after the fault.
  const before = (await tallyOf(files)).done.size
  await expect.poll(async () => (await tallyOf(files)).done.size).toBeGreaterThan(before + 10)
  await Promise.all(writers.map((writer) => writer.end()))

  await expect.poll(() => own.store.status().places.primary.healthy).toBe(true)
  await own.store.flushWAL()
  await inSync(own.store)
  const count = await own.store.get<number>('counter')
  const increments: string[] = []
  for (;;) {
    const more = await own.store.getRange<string>('increments', increments.length, 500)
    increments.push(...more)
    if (more.length < 500) break
  }
  const { done, open } = await tallyOf(files)
  expect(new Set(increments).size).toBe(increments.length)
  expect([...done].filter((id) => !increments.includes(id))).toEqual([])
  expect(increments.filter((id) => !done.has(id) && !open.has(id))).toEqual([])
  expect(count).toBe(increments.length)
  const { missingInPrimary, missingInBackup } = await own.store.verify()
  expect([missingInPrimary, missingInBackup]).toEqual([0, 0])
}

const nothing = async (): Promise<void> => {
  await delay(WORK_MS)
}

/** Out twice, for longer than a call waits for. */
function killing(server: { kill(): Promise<void>; restart(): Promise<void> }) {
  return async (): Promise<void> => {
    for (let i = 0; i < 2; i++) {
      await delay(WORK_MS)
      await server.kill()
      await delay(OUT_MS)
      await server.restart()
    }
    await delay(2 * WORK_MS)
  }
}

/** One of the processes is killed and starts anew, on the log that it left. */
async function killingOne([writer]: readonly Writer[]): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await delay(WORK_MS)
    await writer!.kill()
    await writer!.start()
  }
  await delay(WORK_MS)
}

const LIMIT = { timeout: 240_000 }

test('sqlite: two processes, nothing fails', LIMIT, async () => {
  await counted(`sqlite:${join(directory, 'healthy.db')}`, 'anywhere', nothing)
})

test('sqlite: one of the processes is killed', LIMIT, async () => {
  await counted(`sqlite:${join(directory, 'killed.db')}`, 'primary', killingOne)
})

describeServers('postgresql', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  test('two processes, nothing fails', LIMIT, async () => {
    await counted({ type: 'postgresql', url: server.url, schema: 'healthy' }, 'anywhere', nothing)
  })

  test('the primary is killed and started again', LIMIT, async () => {
    await counted(
      { type: 'postgresql', url: server.url, schema: 'killed' },
      'primary',
      killing(server),
    )
  })

  test('one of the processes is killed', LIMIT, async () => {
    await counted({ type: 'postgresql', url: server.url, schema: 'process' }, 'primary', killingOne)
  })
})

describeRedis('redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server?.stop())

  test('two processes, nothing fails', LIMIT, async () => {
    await counted({ type: 'redis', url: server.url, keyPrefix: 'healthy:' }, 'anywhere', nothing)
  })

  test('the primary is killed and started again', LIMIT, async () => {
    await counted(
      { type: 'redis', url: server.url, keyPrefix: 'killed:' },
      'primary',
      killing(server),
    )
  })
})

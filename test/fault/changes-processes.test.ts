// Goal: two processes with clocks two seconds apart write one conversation, and a third one that follows it
// misses none of their messages, healthy, during an outage of the primary, and when it is killed and goes on
// with the last cursor that its consumer has. Method: real processes on each engine; what a consumer knows, by
// changes and by what a `resync` made it read, is compared with what was acknowledged.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { ChatHistoryOptions } from '../../src/index.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { FaultProxy } from '../../src/testing/fault-proxy.ts'
import { BuiltCli } from '../integration/cli-process.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix } from '../support/redis-stream-wal.ts'
import { describeServers } from './support/describe-servers.ts'

const PROGRAM = fileURLToPath(new URL('changes-worker.mjs', import.meta.url))
const SKEW_MS = 2_000
const MESSAGES = 300

interface Line {
  readonly open?: boolean
  readonly saved?: string
  readonly done?: boolean
  readonly ids?: readonly string[]
  readonly type?: string
  readonly id?: string
  readonly after?: string
  readonly before?: string
  readonly cursor?: string
  readonly position?: string
}

const built = new BuiltCli()

class Worker {
  readonly lines: Line[] = []
  readonly #child: ChildProcess

  constructor(options: ChatHistoryOptions, clockMs = 0) {
    const config = JSON.stringify({ entry: built.entry, options, clockMs })
    this.#child = spawn(process.execPath, [PROGRAM, config], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line)
    })
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  async has(field: keyof Line): Promise<Line> {
    return await eventually(() => {
      const line = this.lines.find((each) => each[field] !== undefined)
      expect(line).toBeDefined()
      return line!
    })
  }

  tell(command: object): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await once(this.#child, 'close')
  }

  get saved(): string[] {
    return this.lines.flatMap(({ saved }) => (saved === undefined ? [] : [saved]))
  }

  get told(): string[] {
    return this.lines.flatMap(({ type, id }) => (type === 'message' ? [id!] : []))
  }
}

/** What its consumer knows: what it was told, and what it reads again. */
async function known(follower: Worker, options: ChatHistoryOptions): Promise<Set<string>> {
  const ids = new Set(follower.told)
  for (const { type, after, before } of follower.lines) {
    if (type !== 'resync') continue
    const reader = new Worker(options)
    await reader.has('open')
    reader.tell({ read: { conversation: 'c', after, before } })
    for (const id of (await reader.has('ids')).ids!) ids.add(id)
    await reader.kill()
  }
  return ids
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-changes-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

interface Rig {
  readonly options: ChatHistoryOptions
  readonly cut?: () => Promise<void>
  readonly mend?: () => Promise<void>
}

let postgres: PostgresServer | undefined
let redis: RedisServer | undefined

const RIGS: Readonly<Record<string, () => Promise<Rig>>> = {
  SQLite: async () => {
    const directory = await scratch()
    return {
      options: {
        primary: `sqlite:${join(directory, 'primary.db')}`,
        backup: `sqlite:${join(directory, 'backup.db')}`,
        wal: `file:${join(directory, 'wal')}`,
      },
    }
  },
  PostgreSQL: async () => {
    const directory = await scratch()
    const proxy = await FaultProxy.open({ port: postgres!.port })
    onTestFinished(() => proxy.close())
    return {
      ...switched(proxy),
      options: {
        primary: {
          type: 'postgresql',
          url: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`,
          schema: `changes_${freshPrefix().replaceAll(/\W/g, '_')}`,
        },
        backup: `sqlite:${join(directory, 'backup.db')}`,
        wal: `file:${join(directory, 'wal')}`,
      },
    }
  },
  Redis: async () => {
    const directory = await scratch()
    const proxy = await FaultProxy.open({ port: redis!.port })
    onTestFinished(() => proxy.close())
    return {
      ...switched(proxy),
      options: {
        primary: {
          type: 'redis',
          url: `redis://127.0.0.1:${proxy.port}`,
          keyPrefix: freshPrefix(),
        },
        backup: `sqlite:${join(directory, 'backup.db')}`,
        wal: `file:${join(directory, 'wal')}`,
      },
    }
  },
  'a shared log': async () => {
    const rig = await RIGS['PostgreSQL']!()
    const wal = `redis-stream://127.0.0.1:${redis!.port}/0?keyPrefix=${freshPrefix()}`
    return { ...rig, options: { ...rig.options, wal } }
  },
}

function switched(proxy: FaultProxy): Pick<Rig, 'cut' | 'mend'> {
  return {
    cut: async () => {
      await proxy.set({ kind: 'refuse' })
      proxy.killAll()
    },
    mend: () => proxy.set({ kind: 'pass' }),
  }
}

const describeBoth = describeServers === describe.skip ? describeServers : describeRedis

describeBoth('a follower in a process of its own', () => {
  beforeAll(async () => {
    postgres = await startPostgres()
    redis = await startRedis()
  })
  afterAll(async () => {
    await postgres?.stop()
    await redis?.stop()
  })

  describe.each(Object.keys(RIGS))('on %s', (name) => {
    async function start(): Promise<Rig & { readonly workers: readonly Worker[] }> {
      const rig = await RIGS[name]!()
      const workers = [new Worker(rig.options)]
      // The first one makes the tables.
      await workers[0]!.has('open')
      workers.push(new Worker(rig.options), new Worker(rig.options, -SKEW_MS))
      for (const worker of workers) await worker.has('open')
      workers[0]!.tell({ follow: 'c' })
      await workers[0]!.has('cursor')
      return { ...rig, workers }
    }

    test('misses none of 600 messages of clocks 2 s apart', async () => {
      const { workers } = await start()
      const [follower, one, other] = workers as [Worker, Worker, Worker]
      for (const writer of [one, other]) writer.tell({ write: 'c', count: MESSAGES, pauseMs: 3 })
      for (const writer of [one, other]) await writer.has('done')
      const saved = [...one.saved, ...other.saved].toSorted()
      await eventually(() => expect(follower.told.length).toBeGreaterThanOrEqual(saved.length))
      expect(follower.told.toSorted()).toEqual(saved)
      expect(follower.lines.filter(({ type }) => type === 'resync')).toEqual([])
    })

    test('goes on with its last cursor in another process after a kill', async () => {
      const { workers, options } = await start()
      const [follower, one, other] = workers as [Worker, Worker, Worker]
      for (const writer of [one, other]) writer.tell({ write: 'c', count: 150, pauseMs: 10 })
      await eventually(() => expect(follower.told.length).toBeGreaterThan(40))
      await follower.kill()
      const { cursor } = follower.lines.findLast((line) => line.cursor !== undefined)!
      for (const writer of [one, other]) await writer.has('done')
      const next = new Worker(options)
      await next.has('open')
      next.tell({ follow: 'c', since: cursor })
      const saved = new Set([...one.saved, ...other.saved])
      await eventually(async () => {
        const ids = await known(next, options)
        for (const id of follower.told) ids.add(id)
        expect([...saved].filter((id) => !ids.has(id))).toEqual([])
      })
    })

    test.skipIf(name === 'SQLite')('misses none while the primary is out', async () => {
      const { workers, options, cut, mend } = await start()
      const [follower, one, other] = workers as [Worker, Worker, Worker]
      for (const writer of [one, other]) writer.tell({ write: 'c', count: 150, pauseMs: 20 })
      await eventually(() => expect(one.saved.length).toBeGreaterThan(30))
      await cut!()
      await eventually(() => expect(one.saved.length).toBeGreaterThan(80))
      await mend!()
      for (const writer of [one, other]) await writer.has('done')
      const saved = new Set([...one.saved, ...other.saved])
      await eventually(async () => {
        const ids = await known(follower, options)
        expect([...saved].filter((id) => !ids.has(id))).toEqual([])
      })
      expect(new Set(follower.told).size).toBe(follower.told.length)
    })
  })
})

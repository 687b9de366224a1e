import { randomBytes } from 'node:crypto'
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChatHistoryOptions } from '../../src/index.ts'
import { FaultProxy, type Fault } from '../../src/testing/fault-proxy.ts'
import type { FaultMode } from '../../src/testing/faulty-backend.ts'
import type { CutKind, Program } from '../../simulator/programs/program.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

export const ENGINES = ['sqlite', 'postgres', 'redis'] as const
export type EngineName = (typeof ENGINES)[number]

type Places = Required<Pick<ChatHistoryOptions, 'primary' | 'backup' | 'wal'>>
type Database = 'primary' | 'backup'

/** Servers of one run of many programs. Each program has files, schemas or keys of its own. */
export class Engine {
  readonly name: EngineName
  readonly folder: string
  readonly #postgres: PostgresServer | undefined
  readonly #database: RedisServer | undefined
  readonly #log: RedisServer | undefined

  private constructor(
    name: EngineName,
    folder: string,
    servers: {
      readonly postgres?: PostgresServer
      readonly database?: RedisServer
      readonly log?: RedisServer
    },
  ) {
    this.name = name
    this.folder = folder
    this.#postgres = servers.postgres
    this.#database = servers.database
    this.#log = servers.log
  }

  static async start(name: EngineName): Promise<Engine> {
    const folder = mkdtempSync(join(quickFolder(), 'everthread-programs-'))
    switch (name) {
      case 'sqlite':
        return new Engine(name, folder, {})
      case 'postgres':
        return new Engine(name, folder, { postgres: await startPostgres() })
      case 'redis': {
        const [database, log] = await Promise.all([startRedis(), startRedis()])
        return new Engine(name, folder, { database, log })
      }
    }
  }

  /** Where a process of this machine's programs reaches the servers, and can be kept from them. */
  async door(): Promise<Door> {
    const server = this.#postgres ?? this.#database
    if (server === undefined) return new Door({})
    const open = async (): Promise<FaultProxy> => await FaultProxy.open({ port: server.port })
    return new Door({ primary: await open(), ...(this.#postgres && { backup: await open() }) })
  }

  /** Only one that all processes share is any. */
  hasCache({ seed }: Program): boolean {
    return this.name === 'redis' && seed % 3 === 0
  }

  /** The places of a program, as the process behind each door has them. */
  places(program: Program): (door: Door) => Places {
    const { seed } = program
    const name = `p${randomBytes(6).toString('hex')}`
    const folder = join(this.folder, name)
    mkdirSync(folder)
    const sqlite = (place: Database): Places['primary'] => ({
      type: 'sqlite',
      path: join(folder, `${place}.db`),
      search: true,
      // Threads take most of the time of a short program: some have them.
      threads: seed % 16 === 0,
    })
    const postgres = (door: Door, place: Database): Places['primary'] => ({
      type: 'postgresql',
      url: `postgres://postgres@127.0.0.1:${door.port(place)}/postgres`,
      schema: `${name}_${place}`,
      search: true,
    })
    const wal = { type: 'file', filePath: join(folder, 'wal') } as const
    switch (this.name) {
      case 'sqlite':
        return () => ({ primary: sqlite('primary'), backup: sqlite('backup'), wal })
      case 'postgres':
        return (door) => ({
          primary: postgres(door, 'primary'),
          backup: seed % 2 === 0 ? sqlite('backup') : postgres(door, 'backup'),
          wal,
        })
      case 'redis':
        return (door) => ({
          primary: {
            database: {
              type: 'redis',
              url: `redis://127.0.0.1:${door.port('primary')}`,
              keyPrefix: `${name}:`,
            },
            ...(this.hasCache(program) && {
              cache: {
                type: 'redis',
                url: `redis://127.0.0.1:${this.#log!.port}/0`,
                keyPrefix: `${name}c:`,
              },
            }),
          },
          backup: sqlite('backup'),
          wal: `redis-stream://127.0.0.1:${this.#log!.port}/0?keyPrefix=${name}:`,
        })
    }
  }

  async stop(): Promise<void> {
    for (const server of [this.#postgres, this.#database, this.#log]) await server?.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** One process's way to the servers. What is a file is cut in the process itself. */
export class Door {
  readonly #proxies: Partial<Record<Database, FaultProxy>>

  constructor(proxies: Partial<Record<Database, FaultProxy>>) {
    this.#proxies = proxies
  }

  port(place: Database): number {
    return this.#proxies[place]!.port
  }

  async cut(place: Database, how: CutKind | undefined): Promise<void> {
    const proxy = this.#proxies[place]
    if (proxy === undefined) return
    await proxy.set(how === undefined ? { kind: 'pass' } : NETWORK_FAULTS[how])
    if (how === 'refused') proxy.killAll()
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#proxies).map((proxy) => proxy.close()))
  }
}

const NETWORK_FAULTS: Readonly<Record<CutKind, Fault>> = {
  refused: { kind: 'refuse' },
  hung: { kind: 'black-hole' },
  'reply-lost': { kind: 'black-hole', direction: 'down' },
}

/** The same for a file. */
export function modeOf(how: CutKind | undefined): FaultMode {
  return how ?? 'up'
}

/** Memory where there is some: processes are killed here, machines are not. */
function quickFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}

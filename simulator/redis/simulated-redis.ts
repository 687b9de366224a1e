import { hash } from 'node:crypto'
import type { Command, CommandTable } from './command.ts'
import { DataSet, type Undo } from './data-set.ts'
import { KEY_COMMANDS } from './key-commands.ts'
import { OK, RedisError, Status, type Reply } from './reply.ts'
import { Script } from './script.ts'
import { STREAM_COMMANDS } from './stream-commands.ts'

/** When the server's log of commands is on disk: before it answers, or within about a second. */
export type Fsync = 'always' | 'everysec'

export interface SimulatedRedisOptions {
  /** Unix milliseconds. */
  readonly now: () => number
  /** A new one for each start. */
  readonly makeRunId: () => string
  readonly fsync?: Fsync
}

/** As a client gets it: texts as they are, and an error thrown. */
export type ClientReply = string | number | null | readonly ClientReply[]

interface Unsynced {
  readonly atMs: number
  readonly undo: Undo
}

const NOT_ASCII = /[\u0080-\uffff]/
const SYNC_MS = 1_000
const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."

/**
 * A Redis server as far as the log in Redis streams needs one: its commands, scripts in Lua, a data
 * set in memory that survives a restart as its settings say. A test compares it with a real one.
 */
export class SimulatedRedis {
  /** Memory is at its limit, and nothing is evicted: commands that need more are refused. */
  isFull = false
  readonly #options: SimulatedRedisOptions
  readonly #fsync: Fsync
  readonly #data: DataSet
  /** By the SHA-1 of their text. */
  readonly #scripts = new Map<string, Script>()
  readonly #commands: CommandTable
  #runId: string
  /** Oldest first. */
  #unsynced: Unsynced[] = []

  constructor(options: SimulatedRedisOptions) {
    this.#options = options
    this.#fsync = options.fsync ?? 'always'
    this.#data = new DataSet(() => Math.floor(options.now()))
    this.#runId = options.makeRunId()
    this.#commands = { ...KEY_COMMANDS, ...STREAM_COMMANDS, ...this.#serverCommands() }
  }

  /** Runs a command of a client. @throws RedisError */
  execute(args: readonly string[]): ClientReply {
    const [name = '', ...rest] = args.map(bytesOf)
    const run = (): Reply => this.#run(name, rest, { isDirty: false, isFull: this.isFull })
    if (this.#fsync === 'always') return clientReply(run())
    let reply: Reply = null
    const undo = this.#data.noting(() => {
      reply = run()
    })
    if (undo.size > 0) this.#note(undo)
    return clientReply(reply)
  }

  /**
   * Ends the server and starts it again. `loses` tells of each change that was not on disk whether it
   * is gone; with it go all that came later.
   */
  restart(loses: () => boolean): void {
    const first = this.#recent().findIndex(loses)
    const gone = first === -1 ? [] : this.#unsynced.slice(first)
    for (const { undo } of gone.toReversed()) this.#data.undo(undo)
    this.#unsynced = []
    this.#scripts.clear()
    this.#runId = this.#options.makeRunId()
  }

  /** All data is gone; it stays in its run. */
  empty(): void {
    this.#unsynced = []
    this.#data.clear()
  }

  /** Entries of all streams that some group has not confirmed. */
  get pending(): number {
    return this.#data.streams().reduce((sum, { groups }) => {
      const ids = [...groups.values()].flatMap(({ pending }) => pending.map(({ n }) => n))
      return sum + new Set(ids).size
    }, 0)
  }

  #note(undo: Undo): void {
    this.#unsynced = [...this.#recent(), { atMs: this.#data.now, undo }]
  }

  /** What may not be on disk. */
  #recent(): Unsynced[] {
    const oldest = this.#data.now - SYNC_MS
    this.#unsynced = this.#unsynced.filter(({ atMs }) => atMs > oldest)
    return this.#unsynced
  }

  #run(name: string, args: readonly string[], script: ScriptState): Reply {
    const upper = name.toUpperCase()
    if (upper === 'EVAL') return this.#evaluate(this.#load(args[0] ?? ''), args.slice(1))
    if (upper === 'EVALSHA') {
      const found = this.#scripts.get(args[0] ?? '')
      if (found === undefined) throw new RedisError('NOSCRIPT No matching script. Please use EVAL.')
      return this.#evaluate(found, args.slice(1))
    }
    const whole: Command | undefined = this.#commands[upper]
    const command = whole ?? this.#commands[`${upper} ${args[0]?.toUpperCase()}`]
    if (command === undefined) throw new RedisError(`ERR unknown command '${name}'`)
    // A script that has changed something goes on to its end.
    if (command.writes === 'grows' && script.isFull && !script.isDirty) {
      throw new RedisError(OUT_OF_MEMORY)
    }
    if (command.writes !== undefined) script.isDirty = true
    return command.run(this.#data, whole === undefined ? args.slice(1) : args)
  }

  #load(text: string): Script {
    const sha = hash('sha1', Buffer.from(text, 'latin1'))
    let script = this.#scripts.get(sha)
    if (script === undefined) this.#scripts.set(sha, (script = new Script(text)))
    return script
  }

  #evaluate(script: Script, [count = '0', ...rest]: readonly string[]): Reply {
    const keys = Number(count)
    const state: ScriptState = { isDirty: false, isFull: this.isFull }
    return script.run(rest.slice(0, keys), rest.slice(keys), ([name = '', ...args]) =>
      this.#run(name, args, state),
    )
  }

  #serverCommands(): CommandTable {
    return {
      PING: { run: () => new Status('PONG') },
      TIME: {
        run: (data) => {
          const seconds = Math.floor(data.now / 1_000)
          return [String(seconds), String((data.now - seconds * 1_000) * 1_000)]
        },
      },
      INFO: { run: () => this.#info() },
      CONFIG: {
        run: (_data, args) =>
          args[1] === 'save' ? ['save', ''] : ['appendonly', 'yes', 'appendfsync', this.#fsync],
      },
      BGREWRITEAOF: { run: () => OK },
    }
  }

  #info(): string {
    const fields = {
      redis_version: '7.0.15',
      run_id: this.#runId,
      role: 'master',
      connected_slaves: 0,
      loading: 0,
      aof_enabled: 1,
      aof_last_write_status: 'ok',
      aof_rewrite_in_progress: 0,
      aof_rewrite_scheduled: 0,
      rdb_bgsave_in_progress: 0,
      maxmemory: this.isFull ? 1 : 0,
      maxmemory_policy: 'noeviction',
    }
    const lines = Object.entries(fields).map(([name, value]) => `${name}:${value}\r\n`)
    return `# Server\r\n${lines.join('')}`
  }
}

interface ScriptState {
  /** It has changed something. */
  isDirty: boolean
  /** Memory was at its limit when it began. */
  readonly isFull: boolean
}

/** One character for each byte of the text as UTF-8. */
function bytesOf(text: string): string {
  return NOT_ASCII.test(text) ? Buffer.from(text).toString('latin1') : text
}

function clientReply(reply: Reply): ClientReply {
  if (reply instanceof Status) return reply.text
  if (typeof reply === 'string') {
    return NOT_ASCII.test(reply) ? Buffer.from(reply, 'latin1').toString() : reply
  }
  if (reply === null || typeof reply === 'number') return reply
  return reply.map(clientReply)
}

import { LIBRARY } from './lua/library.ts'
import { OPERATORS } from './lua/operators.ts'
import { LuaTable } from './lua/table.ts'
import { translate } from './lua/translate.ts'
import type { LuaFunction, LuaValue } from './lua/table.ts'
import { RedisError, Status, type Reply } from './reply.ts'

type Compiled = (lua: typeof OPERATORS, globals: Readonly<Record<string, LuaValue>>) => LuaValue[]

/** Runs a command for a script; throws what the server answers with an error. */
export type CommandRunner = (args: readonly string[]) => Reply

/** A script that is compiled. Nothing of a run stays in it. */
export class Script {
  readonly #compiled: Compiled

  constructor(text: string) {
    this.#compiled = compile(text)
  }

  /** Runs it, and turns what it returns into an answer. */
  run(keys: readonly string[], args: readonly string[], run: CommandRunner): Reply {
    // Made of the library, not a copy of it: that would take longer than most scripts.
    const globals = Object.create(LIBRARY) as Record<string, LuaValue>
    globals['KEYS'] = new LuaTable([...keys])
    globals['ARGV'] = new LuaTable([...args])
    globals['redis'] = redisLibrary(run)
    try {
      return replyOf(this.#compiled(OPERATORS, globals)[0])
    } catch (error) {
      if (error instanceof RedisError) throw error
      throw new RedisError(`ERR ${(error as Error).message}`, { cause: error })
    }
  }
}

/** Each is compiled once in a process. */
const compiled = new Map<string, Compiled>()
/** Comments at the end, by which the log tells the runs of a server apart. */
const LAST_COMMENTS = /(?:\n--[^\n]*)+\s*$/

function compile(text: string): Compiled {
  const source = text.replace(LAST_COMMENTS, '')
  let script = compiled.get(source)
  if (script === undefined) {
    // oxlint-disable-next-line typescript/no-implied-eval -- Scripts of this project only.
    script = new Function('lua', 'globals', translate(source)) as Compiled
    compiled.set(source, script)
  }
  return script
}

function redisLibrary(run: CommandRunner): LuaTable {
  const call: LuaFunction = (...args) => [valueOf(run(args.map(argumentOf)))]
  const table = new LuaTable()
  table.set('call', call)
  table.set('pcall', (...args) => {
    try {
      return call(...args)
    } catch (error) {
      return [tableWith('err', (error as Error).message)]
    }
  })
  table.set('error_reply', (text) => [tableWith('err', text)])
  table.set('status_reply', (text) => [tableWith('ok', text)])
  return table
}

function argumentOf(value: LuaValue): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  throw new RedisError('ERR Lua redis lib command arguments must be strings or integers')
}

function valueOf(reply: Reply): LuaValue {
  if (reply === null) return false
  if (typeof reply !== 'object') return reply
  return reply instanceof Status ? tableWith('ok', reply.text) : new LuaTable(reply.map(valueOf))
}

/** Numbers lose their fraction, lists end before the first nil. */
function replyOf(value: LuaValue): Reply {
  if (value === true) return 1
  if (typeof value === 'number') return Math.trunc(value)
  if (typeof value === 'string') return value
  if (!(value instanceof LuaTable)) return null
  const error = value.get('err')
  if (typeof error === 'string') throw new RedisError(error)
  const status = value.get('ok')
  if (typeof status === 'string') return new Status(status)
  const end = value.list.indexOf(undefined)
  return (end === -1 ? value.list : value.list.slice(0, end)).map(replyOf)
}

function tableWith(key: string, value: LuaValue): LuaTable {
  const table = new LuaTable()
  table.set(key, value)
  return table
}

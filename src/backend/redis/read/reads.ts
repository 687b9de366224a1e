import type { JsonText } from '../../../core/json.ts'
import type { Item, Register } from '../../../core/merge.ts'
import type { Stamp } from '../../../core/stamp.ts'
import type {
  CallOptions,
  CountRead,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyRead,
  ReplicaState,
} from '../../replica-backend.ts'
import type { ScriptCall } from '../connection/caller.ts'
import type { OpenDatabase } from '../keyspace/schema.ts'
import { itemOfRecord } from '../keyspace/record.ts'
import { READ_IDS } from '../scripts/read-ids-n.ts'
import { READ_ITEMS } from '../scripts/read-items-5.ts'
import { READ_KEY } from '../scripts/read-key-5.ts'
import { READ_STATE } from '../scripts/read-state-7.ts'
import type { ScriptRunner } from '../keyspace/script-runner.ts'

interface Mark {
  readonly identity: string
  readonly deletedThrough?: Stamp
}

interface WholeKey extends Mark {
  readonly register?: Register
  readonly count: number
}

export async function readRegister(
  runner: ScriptRunner,
  key: string,
  options?: CallOptions,
): Promise<KeyRead> {
  const { count: _count, ...read } = await readKey(runner, key, options)
  return read
}

export async function countItems(
  runner: ScriptRunner,
  key: string,
  options?: CallOptions,
): Promise<CountRead> {
  const { register: _register, ...read } = await readKey(runner, key, options)
  return read
}

export async function readItems(
  runner: ScriptRunner,
  { key, before, after, limit, order, includeRemoved = false }: ItemQuery,
  options?: CallOptions,
): Promise<ItemPage> {
  const { identity, reply } = await runner.ask((db) => {
    const bounds = [after ?? '', before ?? '', String(limit), order, includeRemoved ? '1' : '0']
    const args = [db.identity, key, ...bounds]
    return { script: READ_ITEMS, keys: keyKeys(db, key), args, writes: false }
  }, options)
  const items: Item[] = []
  for (let i = 1; i + 1 < reply.length; i += 2) {
    items.push(itemOfRecord(String(reply[i]), String(reply[i + 1])))
  }
  const page = { items: items.slice(0, limit), done: items.length <= limit }
  return { ...mark(identity, reply[0]), ...page }
}

export async function readItemsById(
  runner: ScriptRunner,
  key: string,
  ids: readonly string[],
  options?: CallOptions,
): Promise<ItemPage> {
  const { identity, reply } = await runner.ask((db) => {
    const shard = db.layout.shardOf(key)
    const shared = [db.layout.part(shard, 'locks'), db.layout.part(shard, 'heads')]
    const keys = [db.layout.meta(shard), ...shared, db.layout.hash(shard, key)]
    const args = [db.identity, key, String(ids.length), ...ids]
    return { script: READ_IDS, keys, args, writes: false }
  }, options)
  const [deletedThrough, , , ...records] = reply[0] as readonly (string | null)[]
  const items = records.flatMap((record, i) =>
    record === null ? [] : [itemOfRecord(ids[i]!, record)],
  )
  return { ...mark(identity, deletedThrough), items, done: true }
}

/** Identity, trusted, hints and cursor are in shard 0; head is the greatest of all shards. */
export async function readState(
  runner: ScriptRunner,
  writer: string,
  options?: CallOptions,
): Promise<ReplicaState> {
  const { layout } = await runner.open(options)
  const answers = await Promise.all(
    Array.from({ length: layout.shards }, async (_, shard) => {
      return await runner.ask((db) => stateCall(db, shard, writer), options)
    }),
  )
  const { identity, reply } = answers[0]!
  const [, , trusted, raised, cursor, seconds, micros, ...rest] = reply as readonly (
    string | null
  )[]
  const heads = answers.flatMap(({ reply: [head] }) => (head ? [head as Stamp] : []))
  const head = heads.sort().at(-1)
  return {
    identity,
    hints: hintsOf(rest),
    hintVersion: Number(raised ?? 0),
    ...(typeof trusted === 'string' && trusted !== '' && { trusted }),
    ...(head !== undefined && { head }),
    ...(cursor !== null && cursor !== undefined && { cursor: Number(cursor) }),
    nowMs: Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000),
  }
}

export async function readHints(runner: ScriptRunner, options?: CallOptions): Promise<HintList> {
  await runner.open(options)
  const { identity, reply } = await runner.ask((db) => stateCall(db, 0, ''), options)
  const [, , , raised, , , , ...rest] = reply as readonly (string | null)[]
  return { identity, hints: hintsOf(rest), hintVersion: Number(raised ?? 0) }
}

function hintsOf(parts: readonly (string | null)[]): Hint[] {
  const hints: Hint[] = []
  for (let i = 0; i + 1 < parts.length; i += 2) {
    hints.push({ writer: parts[i]!, count: Number(parts[i + 1]) })
  }
  return hints
}

async function readKey(
  runner: ScriptRunner,
  key: string,
  options?: CallOptions,
): Promise<WholeKey> {
  const { identity, reply } = await runner.ask((db) => {
    return { script: READ_KEY, keys: keyKeys(db, key), args: [db.identity, key], writes: false }
  }, options)
  const [deletedThrough, stamp, value, count] = reply
  return {
    ...mark(identity, deletedThrough),
    ...(typeof stamp === 'string' && {
      register: { stamp: stamp as Stamp, value: value as JsonText },
    }),
    count: Number(count),
  }
}

function stateCall({ identity, layout }: OpenDatabase, shard: number, writer: string): ScriptCall {
  const keys = layout.noteKeys(shard)
  return { script: READ_STATE, keys, args: [identity, writer], writes: false }
}

function keyKeys({ layout }: OpenDatabase, key: string): readonly string[] {
  const shard = layout.shardOf(key)
  const shared = [layout.meta(shard), layout.part(shard, 'locks')]
  const own = [layout.hash(shard, key), layout.set(shard, key)]
  return [...shared, ...own, layout.part(shard, 'heads')]
}

function mark(identity: string, deletedThrough: unknown): Mark {
  return {
    identity,
    ...(typeof deletedThrough === 'string' && { deletedThrough: deletedThrough as Stamp }),
  }
}

import { at, byBytes, integerOf, type CommandTable } from './command.ts'
import type { DataSet } from './data-set.ts'
import { OK, RedisError, type Reply } from './reply.ts'
import {
  between,
  findById,
  idOf,
  parseId,
  indexOf,
  type ConsumerGroup,
  type PendingRecord,
  type StreamRecord,
} from './stream.ts'

/** Streams and their consumer groups, as far as the log uses them. */
export const STREAM_COMMANDS: CommandTable = {
  XADD: { run: add, writes: 'grows' },
  XLEN: { run: (data, args) => data.read(at(args, 0), 'stream')?.records.length ?? 0 },
  XRANGE: {
    run: (data, args) => {
      const records = data.read(at(args, 0), 'stream')?.records ?? []
      const limit = args[3] === undefined ? records.length : integerOf(at(args, 4))
      const found = between(records, at(args, 1), at(args, 2)).slice(0, limit)
      return found.map(({ n, fields }) => [idOf(n), fields])
    },
  },
  XTRIM: { run: trim, writes: 'shrinks' },
  'XGROUP CREATE': { run: createGroup, writes: 'grows' },
  'XGROUP DELCONSUMER': { run: deleteConsumer, writes: 'shrinks' },
  'XINFO CONSUMERS': {
    run: (data, args) => {
      const group = groupOf(data, at(args, 0), at(args, 1))
      return [...group.consumers]
        .sort(byBytes)
        .map((name) => ['name', name, 'pending', pendingOf(group, name).length])
    },
  },
  XPENDING: { run: pending },
  XCLAIM: { run: claim, writes: 'shrinks' },
  XACK: {
    run: (data, [key = '', name = '', ...ids]) => {
      if (data.read(key, 'stream')?.groups.get(name) === undefined) return 0
      const group = data.change(key, 'stream').groups.get(name)!
      return ids.filter((id) => forget(group, parseId(id))).length
    },
    writes: 'shrinks',
  },
}

function add(data: DataSet, args: readonly string[]): Reply {
  const [key, id] = [at(args, 0), at(args, 1)]
  const n = parseId(id)
  if (n <= (data.read(key, 'stream')?.lastId ?? 0)) {
    throw new RedisError(
      'ERR The ID specified in XADD is equal or smaller than the target stream top item',
    )
  }
  const stream = data.change(key, 'stream')
  const record: StreamRecord = { n, fields: args.slice(2) }
  stream.records.push(record)
  stream.lastId = n
  return idOf(n)
}

function trim(data: DataSet, args: readonly string[]): Reply {
  if (at(args, 1).toUpperCase() !== 'MINID' || at(args, 2) !== '=') {
    throw new RedisError('ERR only MINID = is supported')
  }
  if (data.read(at(args, 0), 'stream') === undefined) return 0
  const stream = data.change(at(args, 0), 'stream')
  const count = indexOf(stream.records, parseId(at(args, 3)))
  stream.records.splice(0, count)
  return count
}

function createGroup(data: DataSet, args: readonly string[]): Reply {
  const [key, name] = [at(args, 0), at(args, 1)]
  if (!data.has(key) && args[3]?.toUpperCase() !== 'MKSTREAM') {
    throw new RedisError('ERR The XGROUP subcommand requires the key to exist')
  }
  if (data.read(key, 'stream')?.groups.has(name) === true) {
    throw new RedisError('BUSYGROUP Consumer Group name already exists')
  }
  const group = { lastDelivered: parseId(at(args, 2)), pending: [], consumers: new Set<string>() }
  data.change(key, 'stream').groups.set(name, group)
  return OK
}

function deleteConsumer(data: DataSet, args: readonly string[]): Reply {
  const [key, name, consumer] = [at(args, 0), at(args, 1), at(args, 2)]
  groupOf(data, key, name)
  const group = data.change(key, 'stream').groups.get(name)!
  const { length } = pendingOf(group, consumer)
  group.pending = group.pending.filter((each) => each.consumer !== consumer)
  group.consumers.delete(consumer)
  return length
}

function pending(data: DataSet, args: readonly string[]): Reply {
  const group = groupOf(data, at(args, 0), at(args, 1))
  const rest = args.slice(2)
  if (rest.length === 0) return summary(group)
  let idleMs = 0
  if (rest[0]!.toUpperCase() === 'IDLE') idleMs = integerOf(rest.splice(0, 2)[1] ?? '')
  const [from, to, limit, consumer] = [at(rest, 0), at(rest, 1), at(rest, 2), rest[3]]
  return between(group.pending, from, to)
    .filter((each) => consumer === undefined || each.consumer === consumer)
    .filter(({ deliveredMs }) => idleSince(data, deliveredMs) >= idleMs)
    .slice(0, integerOf(limit))
    .map((each) => [idOf(each.n), each.consumer, idleSince(data, each.deliveredMs), each.count])
}

function summary(group: ConsumerGroup): Reply {
  const { pending: all, consumers } = group
  if (all.length === 0) return [0, null, null, null]
  const counts = [...consumers]
    .sort(byBytes)
    .map((name): Reply[] => [name, String(pendingOf(group, name).length)])
    .filter(([, count]) => count !== '0')
  return [all.length, idOf(all[0]!.n), idOf(all.at(-1)!.n), counts]
}

function claim(data: DataSet, args: readonly string[]): Reply {
  const [key, name, consumer] = [at(args, 0), at(args, 1), at(args, 2)]
  const minIdleMs = integerOf(at(args, 3))
  groupOf(data, key, name)
  const stream = data.change(key, 'stream')
  const group = stream.groups.get(name)!
  const { ids, idleMs, force, lastId, justId } = claimOptions(args.slice(4))
  if (lastId !== undefined) group.lastDelivered = Math.max(group.lastDelivered, lastId)
  const deliveredMs = data.now - idleMs
  const claimed: StreamRecord[] = []
  for (const n of ids) {
    const known = findById(group.pending, n)
    const record = findById(stream.records, n)
    if (record === undefined) {
      // What is not in the stream any more is pending no longer.
      if (known !== undefined) forget(group, n)
      continue
    }
    if (known === undefined && !force) continue
    if (known !== undefined && minIdleMs > 0 && idleSince(data, known.deliveredMs) < minIdleMs) {
      continue
    }
    group.consumers.add(consumer)
    const count = (known?.count ?? 0) + (justId ? 0 : 1)
    if (known !== undefined) Object.assign(known, { consumer, deliveredMs, count })
    else group.pending.splice(indexOf(group.pending, n), 0, { n, consumer, deliveredMs, count })
    claimed.push(record)
  }
  return claimed.map(({ n, fields }) => (justId ? idOf(n) : [idOf(n), fields]))
}

interface ClaimOptions {
  readonly ids: readonly number[]
  readonly idleMs: number
  readonly force: boolean
  readonly lastId: number | undefined
  readonly justId: boolean
}

function claimOptions(args: readonly string[]): ClaimOptions {
  const end = args.findIndex((arg) => !/^\d/.test(arg))
  const rest = end === -1 ? [] : args.slice(end)
  const options = {
    idleMs: 0,
    force: false,
    lastId: undefined as number | undefined,
    justId: false,
  }
  for (let i = 0; i < rest.length; i++) {
    const option = rest[i]!.toUpperCase()
    if (option === 'FORCE') options.force = true
    else if (option === 'JUSTID') options.justId = true
    else if (option === 'IDLE') options.idleMs = integerOf(at(rest, ++i))
    else if (option === 'LASTID') options.lastId = parseId(at(rest, ++i))
    else throw new RedisError(`ERR Unrecognized XCLAIM option '${option}'`)
  }
  return { ids: args.slice(0, end === -1 ? undefined : end).map(parseId), ...options }
}

function groupOf(data: DataSet, key: string, name: string): ConsumerGroup {
  const group = data.read(key, 'stream')?.groups.get(name)
  if (group === undefined) {
    throw new RedisError(`NOGROUP No such key '${key}' or consumer group '${name}'`)
  }
  return group
}

function pendingOf({ pending: all }: ConsumerGroup, consumer: string): readonly PendingRecord[] {
  return all.filter((each) => each.consumer === consumer)
}

function forget(group: ConsumerGroup, n: number): boolean {
  const place = indexOf(group.pending, n)
  if (group.pending[place]?.n !== n) return false
  group.pending.splice(place, 1)
  return true
}

/** The clock may have gone back. */
function idleSince({ now }: DataSet, deliveredMs: number): number {
  return Math.max(0, now - deliveredMs)
}

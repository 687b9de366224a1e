import { at, byBytes, integerOf, pairsOf, type CommandTable } from './command.ts'
import type { DataSet } from './data-set.ts'
import { OK, RedisError, type Reply } from './reply.ts'

/** Strings, hashes, sets and sorted sets, as far as the log and its scripts use them. */
export const KEY_COMMANDS: CommandTable = {
  EXISTS: { run: (data, keys) => count(keys, (key) => data.has(key)) },
  DEL: { run: (data, keys) => count(keys, (key) => data.delete(key)), writes: 'shrinks' },
  RENAME: {
    run: (data, args) => {
      data.rename(at(args, 0), at(args, 1))
      return OK
    },
    writes: 'shrinks',
  },
  GET: { run: (data, args) => data.read(at(args, 0), 'string')?.text ?? null },
  SET: { run: set, writes: 'grows' },

  HGET: { run: (data, args) => data.read(at(args, 0), 'hash')?.get(at(args, 1)) ?? null },
  HMGET: {
    run: (data, [key = '', ...names]) => {
      const hash = data.read(key, 'hash')
      return names.map((name) => hash?.get(name) ?? null)
    },
  },
  HEXISTS: {
    run: (data, args) => (data.read(at(args, 0), 'hash')?.has(at(args, 1)) === true ? 1 : 0),
  },
  HSET: {
    run: (data, [key = '', ...rest]) => {
      const pairs = pairsOf(rest)
      const hash = data.change(key, 'hash')
      const { size } = hash
      for (const [name, value] of pairs) hash.set(name, value)
      return hash.size - size
    },
    writes: 'grows',
  },
  HINCRBY: { run: increment, writes: 'grows' },
  HDEL: {
    run: (data, [key = '', ...names]) => remove(data, key, 'hash', names),
    writes: 'shrinks',
  },

  SADD: {
    run: (data, [key = '', ...members]) => {
      const found = data.change(key, 'set')
      const { size } = found
      for (const member of members) found.add(member)
      return found.size - size
    },
    writes: 'grows',
  },
  SREM: {
    run: (data, [key = '', ...members]) => remove(data, key, 'set', members),
    writes: 'shrinks',
  },
  // Small sets are given whole.
  SSCAN: { run: (data, args) => ['0', [...(data.read(at(args, 0), 'set') ?? [])]] },

  ZADD: {
    run: (data, [key = '', ...rest]) => {
      const pairs = pairsOf(rest)
      const zset = data.change(key, 'zset')
      const { size } = zset
      for (const [score, member] of pairs) zset.set(member, Number(score))
      return zset.size - size
    },
    writes: 'grows',
  },
  ZREM: {
    run: (data, [key = '', ...members]) => remove(data, key, 'zset', members),
    writes: 'shrinks',
  },
  ZCARD: { run: (data, args) => data.read(at(args, 0), 'zset')?.size ?? 0 },
  ZSCORE: {
    run: (data, args) => {
      const score = data.read(at(args, 0), 'zset')?.get(at(args, 1))
      return score === undefined ? null : String(score)
    },
  },
  ZRANGE: { run: range },
  ZRANGEBYLEX: { run: rangeByLex },
  ZPOPMIN: {
    run: (data, args) => {
      const [first] = sorted(data, at(args, 0))
      if (first === undefined) return []
      remove(data, at(args, 0), 'zset', [first[0]])
      return [first[0], String(first[1])]
    },
    writes: 'shrinks',
  },
}

function count(keys: readonly string[], test: (key: string) => boolean): number {
  return keys.filter(test).length
}

function set(data: DataSet, args: readonly string[]): Reply {
  const [option, ms] = args.slice(2)
  if (option !== undefined && option.toUpperCase() !== 'PX')
    throw new RedisError('ERR syntax error')
  const expiresMs = option === undefined ? undefined : data.now + integerOf(ms ?? '')
  data.setText(at(args, 0), at(args, 1), expiresMs)
  return OK
}

function increment(data: DataSet, args: readonly string[]): Reply {
  const [key, name] = [at(args, 0), at(args, 1)]
  const by = integerOf(at(args, 2))
  const value = integerOf(data.read(key, 'hash')?.get(name) ?? '0') + by
  data.change(key, 'hash').set(name, String(value))
  return value
}

function remove(
  data: DataSet,
  key: string,
  kind: 'hash' | 'set' | 'zset',
  names: readonly string[],
): number {
  if (data.read(key, kind) === undefined) return 0
  const content = data.change(key, kind)
  const removed = count(names, (name) => content.delete(name))
  data.deleteIfEmpty(key, content)
  return removed
}

/** By score, then by bytes. */
function sorted(data: DataSet, key: string): readonly (readonly [string, number])[] {
  const entries = [...(data.read(key, 'zset') ?? [])]
  return entries.sort(([a, x], [b, y]) => x - y || byBytes(a, b))
}

function range(data: DataSet, args: readonly string[]): Reply {
  const all = sorted(data, at(args, 0)).map(([member]) => member)
  const place = (text: string): number => {
    const index = integerOf(text)
    return index < 0 ? Math.max(0, all.length + index) : index
  }
  const last = integerOf(at(args, 2))
  const end = last < 0 ? all.length + last : last
  return all.slice(place(at(args, 1)), Math.max(0, end + 1))
}

function rangeByLex(data: DataSet, args: readonly string[]): Reply {
  const isAfter = lexBound(at(args, 1))
  const isBefore = lexBound(at(args, 2))
  const [word = 'LIMIT', offset = '0', limit = '-1'] = args.slice(3)
  if (word.toUpperCase() !== 'LIMIT') throw new RedisError('ERR syntax error')
  const found = sorted(data, at(args, 0))
    .map(([member]) => member)
    .filter((member) => isAfter(member) >= 0 && isBefore(member) <= 0)
  const from = integerOf(offset)
  return found.slice(from, integerOf(limit) < 0 ? undefined : from + integerOf(limit))
}

/** Compares members with a bound; never 0 when it is an open one. */
function lexBound(text: string): (member: string) => number {
  if (text === '-') return () => 1
  if (text === '+') return () => -1
  const bound = text.slice(1)
  if (text.startsWith('[')) return (member) => byBytes(member, bound)
  if (text.startsWith('(')) return (member) => byBytes(member, bound) || Number.NaN
  throw new RedisError('ERR min or max not valid string range item')
}

import { describe, expect, test } from 'vitest'
import { SimulatedRedis, type Fsync } from './simulated-redis.ts'

// Its answers are compared with those of a real server in `test/integration/simulated-redis.test.ts`.

interface Rig {
  readonly redis: SimulatedRedis
  now: number
}

function start(fsync: Fsync = 'always'): Rig {
  let runs = 0
  const rig: Rig = {
    redis: new SimulatedRedis({ now: () => rig.now, makeRunId: () => `abc${++runs}`, fsync }),
    now: 1_700_000_000_000,
  }
  return rig
}

function evaluate({ redis }: Rig, lua: string, ...args: readonly string[]): unknown {
  return redis.execute(['EVAL', lua, '0', ...args])
}

describe('the simulated Redis', () => {
  test('loses nothing in a restart when it syncs before it answers', () => {
    const { redis } = start('always')
    redis.execute(['SET', 'key', 'value'])
    redis.restart(() => true)
    expect(redis.execute(['GET', 'key'])).toBe('value')
  })

  test('loses a part of its last second from some change on when it syncs once a second', () => {
    const rig = start('everysec')
    const { redis } = rig
    redis.execute(['XADD', 's', '1-0', 'f', 'synced'])
    rig.now += 1_000
    redis.execute(['XADD', 's', '2-0', 'f', 'kept'])
    redis.execute(['XGROUP', 'CREATE', 's', 'group', '0'])
    redis.execute(['HSET', 'h', 'f', 'lost'])
    redis.execute(['XCLAIM', 's', 'group', 'me', '0', '1-0', 'FORCE', 'JUSTID'])
    redis.execute(['XADD', 's', '3-0', 'f', 'lost'])
    redis.execute(['DEL', 's'])
    let asked = 0
    redis.restart(() => ++asked === 3)
    expect(redis.execute(['XRANGE', 's', '-', '+'])).toEqual([
      ['1-0', ['f', 'synced']],
      ['2-0', ['f', 'kept']],
    ])
    expect(redis.execute(['HGET', 'h', 'f'])).toBeNull()
    expect(redis.execute(['XPENDING', 's', 'group'])).toEqual([0, null, null, null])
  })

  test('loses a script as a whole', () => {
    const rig = start('everysec')
    evaluate(rig, `redis.call('SET', 'a', '1') redis.call('SET', 'b', '2')`)
    rig.redis.restart(() => true)
    expect(rig.redis.execute(['EXISTS', 'a', 'b'])).toBe(0)
  })

  test('is in another run after a restart, and knows no script of the one before', () => {
    const { redis } = start()
    const sha = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'
    redis.execute(['EVAL', 'return 1', '0'])
    expect(redis.execute(['EVALSHA', sha, '0'])).toBe(1)
    expect(redis.execute(['INFO'])).toContain('run_id:abc1\r\n')
    redis.restart(() => false)
    expect(() => redis.execute(['EVALSHA', sha, '0'])).toThrow(/^NOSCRIPT/)
    expect(redis.execute(['INFO'])).toContain('run_id:abc2\r\n')
  })

  test('forgets what expires by its own clock', () => {
    const rig = start()
    rig.redis.execute(['SET', 'key', 'value', 'PX', '100'])
    rig.now += 99
    expect(rig.redis.execute(['GET', 'key'])).toBe('value')
    rig.now += 1
    expect(rig.redis.execute(['GET', 'key'])).toBeNull()
    expect(evaluate(rig, `return redis.call('TIME')`)).toEqual(['1700000000', '100000'])
  })

  test('counts how long a consumer has left an entry alone, and lets others have it after that', () => {
    const rig = start()
    const { redis } = rig
    const claim = (consumer: string, idleMs: number): unknown =>
      redis.execute(['XCLAIM', 's', 'g', consumer, String(idleMs), '1-0', 'FORCE', 'JUSTID'])
    redis.execute(['XADD', 's', '1-0', 'f', 'v'])
    redis.execute(['XGROUP', 'CREATE', 's', 'g', '0'])
    expect(claim('one', 0)).toEqual(['1-0'])
    rig.now += 50
    expect(claim('two', 51)).toEqual([])
    const left = (idleMs: number): unknown =>
      redis.execute(['XPENDING', 's', 'g', 'IDLE', String(idleMs), '-', '+', '10'])
    expect(left(51)).toEqual([])
    expect(left(50)).toEqual([['1-0', 'one', 50, 0]])
    expect(claim('two', 50)).toEqual(['1-0'])
    expect(left(0)).toEqual([['1-0', 'two', 0, 0]])
  })

  test('gives text back as it came, in scripts as bytes', () => {
    const rig = start()
    rig.redis.execute(['SET', 'ключ', '“ä”'])
    expect(rig.redis.execute(['GET', 'ключ'])).toBe('“ä”')
    expect(evaluate(rig, 'return { ARGV[1], #ARGV[1] }', 'ä')).toEqual(['ä', 2])
  })
})

describe('its scripts', () => {
  test.each<[string, unknown]>([
    ['return { 1, 2.9, "x", true, false, { "y" }, nil, 3 }', [1, 2, 'x', 1, null, ['y']]],
    ['return 1 == 1 and "yes" or "no"', 'yes'],
    ['return nil and 1 or false == false and "b"', 'b'],
    ['local t = { 5, 6, ["k"] = 7 } t[3] = 8 return { #t, t.k, t[3] }', [3, 7, 8]],
    ['local a, b = unpack({ 1, 2 }) return { b, a }', [2, 1]],
    ['local n = 0 for i = 10, 1, -3 do n = n + i end return n', 22],
    ['local n = 0 while true do n = n + 1 if n > 4 then break end end return n', 5],
    ['local s = "" for c in string.gmatch("pb", ".") do s = c .. s end return s', 'bp'],
    [
      'local function f(x) if x > 1 then return x elseif x == 1 then return 9 end end return f(1)',
      9,
    ],
    [
      'return { string.match("12-0", "^(%d+)"), string.format("%016.0f", "7") }',
      ['12', '0000000000000007'],
    ],
    ['return 2 ^ 3 ^ 0 .. -3 % 5 .. 7 / 2', '223.5'],
    ['return tostring(1700000000 * 1000000)', '1.7e+15'],
    ['local t = redis.pcall("XADD", "s", "0-0") return t.err ~= nil', 1],
    ['return cmsgpack.unpack(cmsgpack.pack({ "a", "b" }))', ['a', 'b']],
  ])('%s', (lua, expected) => {
    expect(evaluate(start(), lua)).toEqual(expected)
  })

  test.each([
    'x = 1 return x',
    'return missing(1)',
    'return 1 < "2"',
    'return {} .. "x"',
    'return nil + 1',
    'local x = nil return x.y',
    'repeat until true',
    'return redis.call("FLUSHALL")',
  ])('are refused where a server refuses them, or what is not supported: %s', (lua) => {
    expect(() => evaluate(start(), lua)).toThrow(/^(?:ERR |Lua, line 1)/)
  })

  test('that have changed something go on when memory is at its limit', () => {
    const rig = start()
    rig.redis.execute(['SADD', 's', 'm'])
    rig.redis.isFull = true
    expect(() => evaluate(rig, `return redis.call('SET', 'a', '1')`)).toThrow(/^OOM /)
    const lua = `redis.call('SREM', 's', 'm') redis.call('SET', 'a', '1') return redis.call('GET', 'a')`
    expect(evaluate(rig, lua)).toBe('1')
  })
})

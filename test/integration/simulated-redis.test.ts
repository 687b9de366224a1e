import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compareText } from '../../src/core/text.ts'
import { COMMON_LUA } from '../../src/wal/redis-stream/scripts/common-lua.ts'
import {
  APPEND,
  LOADED,
  OPEN,
  type StreamScript,
} from '../../src/wal/redis-stream/scripts/scripts.ts'
import { SimulatedRedis } from '../../simulator/redis/simulated-redis.ts'
import { RandomSource } from '../../simulator/random-source.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

// Goal: what the simulation calls Redis answers as Redis does.
// Method: random calls of the log's real scripts on a real server and on the simulated one, whose
// answers, and whose keys after each history, must be equal. Idle times are compared by nobody: a
// lease is either over at once or never.

const HISTORIES = 80
const CALLS = 120
const NEVER_MS = '100000000'
const BASES = ['t:{0}:', 't:{1}:']
const KEYS = ['a', 'b', 'ключ']
const CONSUMERS = ['w1/x', 'w1/y', 'w2/x', 'w3/z']
const STAMPS = 40

describeRedis('the simulated Redis', () => {
  let server: RedisServer
  let client: ReturnType<typeof clientOf>

  beforeAll(async () => {
    server = await startRedis({ appendonly: 'no' })
    client = clientOf(server)
    await client.connect()
  })
  afterAll(async () => {
    client.destroy()
    await server.stop()
  })

  test('answers the scripts of the log as the real one does', async () => {
    for (let seed = 1; seed <= HISTORIES; seed++) await compareHistory(seed)
  }, 300_000)

  async function compareHistory(seed: number): Promise<void> {
    const random = new RandomSource(seed)
    const info = (await client.sendCommand(['INFO', 'server'])) as string
    const runId = /run_id:(\w+)/.exec(info)![1]!
    const simulated = new SimulatedRedis({ now: () => Date.now(), makeRunId: () => runId })
    await client.sendCommand(['FLUSHALL'])
    const both = async (args: readonly string[], what: string): Promise<void> => {
      // Groups of a key are scored by the times of two clocks, which may tell two moments apart or not.
      const isTimed = args[0] === 'ZRANGE' && args[1]!.includes(':m:')
      const real = await outcomeOf(async () => await client.sendCommand([...args]), isTimed)
      const ours = await outcomeOf(async () => simulated.execute(args), isTimed)
      expect(ours, `seed ${seed}: ${what}`).toEqual(real)
    }
    for (const base of BASES) await both(call(base, OPEN, ['id', '2', '', '0', '']), 'open')
    for (let i = 0; i < CALLS; i++) {
      const base = random.pick(BASES)
      if (random.chance(simulated.isFull ? 0.2 : 0.02))
        await limitMemory(simulated, !simulated.isFull)
      const script = random.chance(0.4) ? APPEND : random.pick([OPEN, ...LOADED])
      const args = ARGUMENTS[script.name]!(random)
      await both(call(base, script, args), `call ${i}, ${script.name} ${args.join(' ')}`)
    }
    await limitMemory(simulated, false)
    for (const base of BASES) {
      for (const command of looks(base)) await both(command, command.join(' '))
    }
  }

  async function limitMemory(simulated: SimulatedRedis, isFull: boolean): Promise<void> {
    simulated.isFull = isFull
    await client.sendCommand(['CONFIG', 'SET', 'maxmemory', isFull ? '1' : '0'])
  }
})

function clientOf({ url }: RedisServer) {
  return createClient({ url, RESP: 2 })
}

function call(base: string, script: StreamScript, args: readonly string[]): readonly string[] {
  return ['EVAL', COMMON_LUA + script.lua, '1', `${base}meta`, base, ...args]
}

/** Lists that are a set are sorted; of an error only its code counts. */
async function outcomeOf(run: () => Promise<unknown>, isSet: boolean): Promise<unknown> {
  try {
    const reply = await run()
    const isScan = Array.isArray(reply) && reply.length === 2 && Array.isArray(reply[1])
    if (isScan) return [reply[0], (reply[1] as string[]).toSorted(compareText)]
    return isSet ? (reply as string[]).toSorted(compareText) : reply
  } catch (error) {
    return `error ${(error as Error).message.split(' ')[0]}`
  }
}

const number = (random: RandomSource): string => String(random.integer(0, 30))
const place = (random: RandomSource): string => random.pick(['p', 'b'])
const consumer = (random: RandomSource): string => random.pick(CONSUMERS)
const lease = (random: RandomSource): string => random.pick(['0', NEVER_MS])
const group = (random: RandomSource): string => `g${random.integer(0, 20)}`
const key = (random: RandomSource): string => random.pick(KEYS)
const identity = (random: RandomSource): string => (random.chance(0.05) ? 'other' : 'id')
const stamp = (random: RandomSource): string => {
  return String(random.integer(0, STAMPS)).padStart(4, '0')
}

function some(random: RandomSource, most: number, make: () => readonly string[]): string[] {
  return Array.from({ length: random.integer(1, most) }, make).flat()
}

/** A key with its least and greatest stamp. */
function stamps(random: RandomSource): readonly string[] {
  return [key(random), ...[stamp(random), stamp(random)].sort()]
}

/** Random arguments for each script, without the base. */
const ARGUMENTS: Readonly<Record<string, (random: RandomSource) => readonly string[]>> = {
  open: (random) => [
    'another',
    '2',
    random.chance(0.1) ? 'old-run' : '',
    random.chance(0.05) ? number(random) : '0',
    random.pick(['', stamp(random)]),
  ],
  append: (random) => [
    identity(random),
    group(random),
    random.pick(['fresh', 'given', 'given']),
    consumer(random),
    random.pick(['100000', '500']),
    '60000',
    '3600000',
    String(random.integer(1, 99)),
    stamp(random),
    `[“${'x'.repeat(random.integer(0, 40))}”]`,
    random.pick(['pb', 'pb', 'p', 'b']),
    random.pick(['', '', number(random)]),
    random.pick(['0', '1']),
    ...some(random, 2, () => stamps(random)),
  ],
  mark: (random) => [
    identity(random),
    `0/${group(random)}`,
    random.pick(['fresh', 'given']),
    '3600000',
    ...some(random, 2, () => stamps(random)),
  ],
  unmark: (random) => [
    `0/${group(random)}`,
    random.pick(['0', '600']),
    ...some(random, 2, () => [key(random)]),
  ],
  acknowledge: (random) => [
    place(random),
    ...some(random, 3, () => [
      number(random),
      '7',
      random.pick(['', group(random)]),
      String(KEYS.length),
      ...KEYS,
    ]),
  ],
  quarantine: (random) => [place(random), number(random), '"bad"'],
  resend: (random) => [place(random), number(random), random.pick(['1', '500'])],
  retry: (random) => [place(random), consumer(random), random.pick(['1', '250'])],
  letters: (random) => [place(random), random.pick(['1', '250'])],
  pending: (random) => [
    place(random),
    key(random),
    random.pick(['', number(random).padStart(16, '0')]),
    random.pick(['1', '200']),
  ],
  resolve: (random) => [place(random), ...some(random, 3, () => [group(random)])],
  fetch: (random) => some(random, 3, () => [number(random)]),
  claim: (random) => [
    place(random),
    consumer(random),
    lease(random),
    random.pick(['1', '3', '250']),
    ...random.pick([[], ['w2'], ['w1', 'w3']]),
  ],
  refused: (random) => [place(random), random.pick(['1', '250'])],
  touch: (random) => [
    place(random),
    consumer(random),
    lease(random),
    random.pick(['0', '1']),
    ...some(random, 3, () => [number(random)]),
  ],
  poll: (random) => [consumer(random), lease(random)],
  writers: (random) => [
    random.pick(['w1', 'w2', 'w3']),
    random.pick(['open', 'alive', 'end']),
    NEVER_MS,
  ],
  scan: (random) => [number(random), random.pick(['1', '200'])],
  erase: (random) => [identity(random), ...some(random, 3, () => [number(random), '[]'])],
}

/** Commands that show what a partition holds. */
function looks(base: string): readonly (readonly string[])[] {
  const fields = ['identity', 'partitions', 'run', 'n', 'head', 'bytes', 'floor', 'writers']
  return [
    ['HMGET', `${base}meta`, ...fields],
    ['XRANGE', `${base}s`, '-', '+'],
    ['ZRANGE', `${base}w`, '0', '-1'],
    ...['p', 'b'].flatMap((letter) => [
      ['XPENDING', `${base}s`, letter],
      ['SSCAN', `${base}k:${letter}`, '0', 'COUNT', '1000'],
      ['ZRANGE', `${base}d:${letter}`, '0', '-1'],
      ...KEYS.map((name) => ['ZRANGE', `${base}i:${letter}:${name}`, '0', '-1']),
    ]),
    ...KEYS.flatMap((name) => [
      ['GET', `${base}l:${name}`],
      ['ZRANGE', `${base}m:${name}`, '0', '-1'],
    ]),
  ]
}

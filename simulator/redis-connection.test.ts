import { expect, test } from 'vitest'
import type { RawConnection } from '../src/backend/redis/connection/raw-connection.ts'
import { Kernel } from './kernel.ts'
import { RandomSource } from './random-source.ts'
import { RedisHost } from './redis-host.ts'
import { SimulatedProcess, type Life } from './simulated-process.ts'

const LONG_MS = 10_000

interface Rig {
  readonly kernel: Kernel
  readonly host: RedisHost
  readonly life: Life
  readonly lost: string[]
  readonly connect: () => Promise<RawConnection>
  /** Lets time pass, and tells how the call ended; undefined: it has not. */
  readonly outcome: (call: Promise<unknown>, ms?: number) => Promise<unknown>
}

function start(): Rig {
  const kernel = new Kernel()
  const random = new RandomSource(1)
  const host = new RedisHost({ kernel, random, startMs: 0, fsync: 'always' })
  const life = new SimulatedProcess({ kernel, index: 0, random, startMs: 0 }).start()
  const lost: string[] = []
  const outcome = async (call: Promise<unknown>, ms: number = LONG_MS): Promise<unknown> => {
    let ended: unknown
    call.then(
      (value) => (ended = value),
      (error: Error) => (ended = error.message),
    )
    await kernel.run(kernel.now + ms)
    return ended
  }
  const connect = async (): Promise<RawConnection> =>
    (await outcome(
      host.connect({
        caller: { life, from: 0 },
        connectTimeoutMs: 5_000,
        socketTimeoutMs: 1_500,
        onLost: (error) => lost.push((error as Error).message),
      }),
    )) as RawConnection
  return { kernel, host, life, lost, connect, outcome }
}

test('commands are done in the order in which they were sent, and answered so', async () => {
  const { connect, outcome, kernel } = start()
  const connection = await connect()
  const answers: unknown[] = []
  for (let i = 0; i < 50; i++) {
    void connection.send(['HINCRBY', 'h', 'f', '1']).then((value) => answers.push(value))
    if (i % 3 === 0) await kernel.run(kernel.now + 5)
  }
  await outcome(connection.send(['GET', 'key']))
  expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
})

test('a command whose answer is lost was done, and the client hears of it by the silence', async () => {
  const { host, connect, outcome, lost } = start()
  const connection = await connect()
  host.server.dropReply = 1
  expect(await outcome(connection.send(['SET', 'key', 'value']))).toBe('Disconnects client')
  expect(lost).toEqual(['Socket timeout'])
  expect(host.server.content.execute(['GET', 'key'])).toBe('value')
})

test('after a loss nothing arrives over the same connection', async () => {
  const { host, connect, outcome, kernel } = start()
  const connection = await connect()
  host.server.dropRequest = 1
  const calls = [connection.send(['SET', 'a', '1'])]
  await kernel.run(kernel.now + 1_000)
  host.server.dropRequest = 0
  calls.push(connection.send(['SET', 'b', '2']))
  await outcome(Promise.allSettled(calls))
  expect(host.server.content.execute(['EXISTS', 'a', 'b'])).toBe(0)
})

test('what was sent before the client gave up may still be done', async () => {
  const { host, connect, outcome } = start()
  const connection = await connect()
  host.server.isPaused = true
  const call = connection.send(['SET', 'key', 'value'])
  expect(await outcome(call)).toBeUndefined()
  connection.destroy()
  await expect(call).rejects.toThrow('Disconnects client')
  host.server.resume()
  expect(host.server.content.execute(['GET', 'key'])).toBe('value')
})

test('a server that dies ends its connections, and refuses new ones until it is back', async () => {
  const { host, connect, outcome, lost } = start()
  const connection = await connect()
  host.stop()
  await outcome(Promise.resolve())
  expect(lost).toHaveLength(1)
  await expect(connection.send(['PING'])).rejects.toThrow('The client is closed')
  expect(await connect()).toBe('connect ECONNREFUSED')
  host.heal()
  expect(await outcome((await connect()).send(['PING']))).toBe('PONG')
})

test('an error that only a mistake leads to ends the simulation', async () => {
  const { connect, kernel } = start()
  const connection = await connect()
  void connection.send(['EVAL', 'return redis.call("FLUSHALL")', '0'])
  await expect(kernel.run(kernel.now + LONG_MS)).rejects.toThrow(/^ERR /)
})

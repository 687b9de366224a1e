// Goal: of a message that is written as a stream there is one writer, and whatever becomes of it or of the
// places, what it stored stays, and another one can go on or end it.
import { expect, test, vi } from 'vitest'
import type { MessageStream } from '../../src/chat/streams/message-stream.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { ASSISTANT, contents, leftBehind, streamRig } from '../support/stream-rig.ts'

test('of two writers of one id the second is refused, in this process and in another', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  const message = { ...ASSISTANT, id: 'm' }
  const started = await Promise.allSettled([
    one.startMessage('c', message),
    two.startMessage('c', message),
    one.startMessage('c', message),
  ])
  expect(started.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  const reasons = started.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
  for (const reason of reasons) expect(reason).toMatchObject({ code: 'CONFLICT', effect: 'none' })
  for (const history of [one, two]) {
    await expect(history.resumeMessage('c', 'm')).rejects.toMatchObject({ code: 'CONFLICT' })
  }
  const [stream] = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  await stream!.finish({ role: 'assistant', content: 'whole' })
  for (const history of [one, two]) {
    await expect(history.startMessage('c', message)).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(history.resumeMessage('c', 'm')).rejects.toMatchObject({ code: 'CONFLICT' })
  }
  expect(await contents(two)).toEqual([['whole', 'completed']])
})

test('what a process leaves behind as it closes is incomplete, and another one goes on', async () => {
  const { open } = streamRig()
  const two = await open()
  await leftBehind(await open(), 'm', 'Hel', 'l')
  expect(await contents(two)).toEqual([['Hell', 'incomplete']])
  const stream = await two.resumeMessage('c', 'm')
  expect(stream.message).toMatchObject({ content: 'Hell' })
  await stream.append('o')
  await stream.flush()
  const three = await open()
  expect(await contents(three)).toEqual([['Hello', 'in_progress']])
  await two.close()
  const again = await three.resumeMessage('c', 'm')
  await again.append('!')
  await again.flush()
  expect(await contents(three)).toEqual([['Hello!', 'in_progress']])
  await again.finish()
  expect(await contents(three)).toEqual([['Hello!', 'completed']])
})

test('of several that go on with a message one does', async () => {
  const { open } = streamRig()
  await leftBehind(await open(), 'm', 'a')
  const histories = [await open(), await open(), await open()]
  const resumed = await Promise.allSettled(
    histories.map((history) => history.resumeMessage('c', 'm')),
  )
  const [first, ...more] = resumed.flatMap((each) => {
    return each.status === 'fulfilled' ? [each.value] : []
  })
  expect(more).toEqual([])
  await first!.append('b')
  await first!.finish()
  expect(await contents(histories[0]!)).toEqual([['ab', 'completed']])
})

test('a writer that was overtaken is told, and what it wrote since is not shown', async () => {
  const { open } = streamRig()
  const env = nodeEnv()
  let asleepMs = 0
  let isAsleep = false
  const held: (() => void)[] = []
  const one = await open({
    env: {
      ...env,
      // It does not count while the machine sleeps: the writer takes its lease for alive.
      monotonic: () => env.monotonic() - asleepMs,
      setTimer: (ms, run) => env.setTimer(ms, () => (isAsleep ? void held.push(run) : run())),
    },
  })
  const two = await open()
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' }, { leaseMs: 3_000 })
  await stream.append('old')
  await stream.flush()
  isAsleep = true
  const startedAt = env.monotonic()
  const takeOver = (): Promise<MessageStream | undefined> => {
    return two.resumeMessage('c', 'm').catch(() => undefined)
  }
  const found = await vi.waitUntil(takeOver, { timeout: 15_000, interval: 200 })
  const next = found!
  asleepMs = env.monotonic() - startedAt
  expect(asleepMs).toBeGreaterThan(4_500)
  isAsleep = false
  for (const run of held) run()
  await stream.append(' lost')
  await stream.flush().catch(() => {})
  await next.append(' new')
  await next.flush()
  expect(await contents(two)).toEqual([['old new', 'in_progress']])
  await expect
    .poll(
      () =>
        stream.append('.').then(
          () => 'taken',
          (error: { code: string }) => error.code,
        ),
      {
        timeout: 5_000,
      },
    )
    .toBe('CONFLICT')
  await expect(stream.finish()).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  await next.finish()
  expect(await contents(two)).toEqual([['old new', 'completed']])
}, 30_000)

test('a writer lives as long as it says so, also when nothing comes', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  await one.startMessage('c', { ...ASSISTANT, id: 'm' }, { leaseMs: 3_000 })
  const started = performance.now()
  await expect
    .poll(
      async () => {
        expect(await contents(two)).toEqual([['', 'in_progress']])
        return performance.now() - started
      },
      { timeout: 15_000, interval: 500 },
    )
    .toBeGreaterThan(6_000)
}, 20_000)

test('an outage of the primary in the middle goes by unnoticed', async () => {
  const { open, primary } = streamRig()
  const [one, two] = [await open(), await open()]
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  await stream.append('before ')
  await stream.flush()
  await one.flush()
  primary.setMode('refused')
  await stream.append('during ')
  await stream.flush()
  expect(await contents(two)).toEqual([['before during ', 'in_progress']])
  await expect(two.resumeMessage('c', 'm')).rejects.toMatchObject({ effect: 'none' })
  primary.setMode('up')
  await stream.append('after')
  await stream.flush()
  // Its own circuit of the primary may still be open, and the backup gets it later.
  await expect.poll(() => contents(two)).toEqual([['before during after', 'in_progress']])
  primary.setMode('hung')
  const receipt = await stream.finish()
  expect(receipt.copies).toContain('backup')
  primary.setMode('up')
  await expect.poll(() => contents(two)).toEqual([['before during after', 'completed']])
})

test('what cannot be stored is told by the next call, and stored once it can', async () => {
  const { open, primary, backup } = streamRig()
  const history = await open({
    write: { type: 'idempotent', config: { timeout: 100, maxRetries: 0, minCopies: 1 } },
  })
  const reader = await open()
  const stream = await history.startMessage('c', { ...ASSISTANT, id: 'm' })
  await stream.append('a')
  await stream.flush()
  primary.setMode('reset')
  backup.setMode('refused')
  await stream.append('b')
  const failed = { code: expect.stringMatching(/UNAVAILABLE|TIMEOUT/), effect: 'unknown' }
  await expect
    .poll(
      () =>
        stream.append('').then(
          () => 'fine',
          (error: unknown) => error,
        ),
      { timeout: 5_000 },
    )
    .toMatchObject(failed)
  await expect(stream.flush()).rejects.toMatchObject({ effect: expect.any(String) })
  primary.setMode('up')
  backup.setMode('up')
  await expect
    .poll(
      () =>
        stream
          .append('')
          .then(() => stream.flush())
          .then(() => 'fine', String),
      {
        timeout: 5_000,
      },
    )
    .toBe('fine')
  await stream.append('c')
  await stream.flush()
  await expect.poll(() => contents(reader)).toEqual([['abc', 'in_progress']])
  await stream.finish()
  await expect.poll(() => contents(reader)).toEqual([['abc', 'completed']])
})

test('an append waits while a million characters do', async () => {
  const { open, primary } = streamRig()
  const history = await open()
  const stream = await history.startMessage('c', ASSISTANT)
  let isStuck = true
  let release = (): void => {}
  const stuck = new Promise<void>((resolve) => (release = resolve))
  primary.onCall((operation) => (isStuck && operation === 'apply' ? stuck : undefined))
  let taken = 0
  const writing = (async () => {
    for (let i = 0; i < 40; i++) {
      await stream.append('x'.repeat(100_000))
      taken++
    }
  })().catch((error: unknown) => error)
  await expect.poll(() => taken).toBeGreaterThanOrEqual(10)
  expect(taken).toBeLessThan(40)
  isStuck = false
  release()
  await writing
  await stream.finish()
  const { content } = (await history.getMessage('c', stream.id))!
  expect((content as string).length).toBe(taken * 100_000)
})

test('a crash between the end of a message and the removal of its deltas hides nothing', async () => {
  const { open } = streamRig()
  const env = nodeEnv()
  const failpoints = {
    hit: (name: string) => {
      if (name === 'stream.beforeRemove') throw new Error('crash')
    },
  }
  const one = await open({ env: { ...env, failpoints } })
  const two = await open()
  const stream = await one.startMessage('c', ASSISTANT)
  await stream.append('abc')
  await stream.flush()
  await expect(stream.finish()).rejects.toThrow('crash')
  expect(await contents(two)).toEqual([['abc', 'completed']])
  expect(await two.store.list('stream/')).toHaveLength(1)
  const events = []
  const options = { conversationId: 'c', id: stream.id }
  for await (const event of two.readStream(options)) events.push(event)
  expect(events).toMatchObject([{ type: 'end', message: { content: 'abc' } }])
  expect(await two.repairStreams()).toEqual({ closed: 0, removed: 1, left: 0 })
  expect(await two.store.list('stream/')).toEqual([])
})

test('repairStreams ends what has been dead for long, and leaves what lives', async () => {
  const { open } = streamRig()
  await leftBehind(await open(), 'dead', 'half a')
  const one = await open()
  const alive = await one.startMessage('c', { ...ASSISTANT, id: 'alive' })
  await alive.append('x')
  await alive.flush()
  const two = await open()
  expect(await two.repairStreams()).toEqual({ closed: 0, removed: 0, left: 2 })
  expect(await two.repairStreams({ olderThanMs: 0 })).toEqual({ closed: 1, removed: 0, left: 1 })
  expect(await contents(two)).toEqual([
    ['half a', 'incomplete'],
    ['x', 'in_progress'],
  ])
  expect(await two.store.list('stream/')).toEqual(['stream/0::1:c:alive'])
  await expect(two.resumeMessage('c', 'dead')).rejects.toMatchObject({ code: 'CONFLICT' })
})

test('nobody goes on while a place is away that may have more', async () => {
  const { open, primary } = streamRig()
  await leftBehind(await open(), 'm', 'a')
  const history = await open()
  primary.setMode('refused')
  const refused = { code: 'UNAVAILABLE', effect: 'none' }
  await expect(history.resumeMessage('c', 'm')).rejects.toMatchObject(refused)
  primary.setMode('up')
  await expect.poll(() => history.resumeMessage('c', 'm').then(() => 'on', String)).toBe('on')
})

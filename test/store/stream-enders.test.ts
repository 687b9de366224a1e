// Goal: of several that end a message one does, and the others are told: a `finish` replaces nobody's update, and
// a writer that slept does not end what another one has. Method: writers that sleep, and databases that fail.
import { expect, onTestFinished, test, vi } from 'vitest'
import type { MessageStream } from '../../src/chat/streams/message-stream.ts'
import type { Env } from '../../src/core/env.ts'
import { StorageError } from '../../src/core/errors.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { ChatHistory } from '../../src/index.ts'
import { ASSISTANT, contents, streamRig, type Rig } from '../support/stream-rig.ts'

/** A process whose timers do not fire and whose clock does not go on, as while its machine sleeps. */
function sleeper(): { readonly env: Env; fallAsleep: () => void; wake: () => void } {
  const env = nodeEnv()
  let isAsleep = false
  let since = 0
  let asleepMs = 0
  const held: (() => void)[] = []
  return {
    env: {
      ...env,
      monotonic: () => (isAsleep ? since : env.monotonic()) - asleepMs,
      setTimer: (ms, run) => env.setTimer(ms, () => (isAsleep ? void held.push(run) : run())),
    },
    fallAsleep: () => {
      since = env.monotonic()
      isAsleep = true
    },
    wake: () => {
      asleepMs += env.monotonic() - since
      isAsleep = false
      // What it was in the middle of goes on first.
      setTimeout(() => {
        for (const run of held.splice(0)) run()
      }, 1_000)
    },
  }
}

async function started(history: ChatHistory): Promise<MessageStream> {
  const stream = await history.startMessage('c', { ...ASSISTANT, id: 'm' }, { leaseMs: 3_000 })
  await stream.append('one')
  await stream.flush()
  return stream
}

/** Two writers of one message, each of which takes it for its own. */
async function twoWriters({ open }: Rig): Promise<readonly MessageStream[]> {
  const machine = sleeper()
  const [one, two] = [await open({ env: machine.env }), await open()]
  const first = await started(one)
  machine.fallAsleep()
  const takeOver = (): Promise<MessageStream | undefined> => {
    return two.resumeMessage('c', 'm').catch(() => undefined)
  }
  const second = await vi.waitUntil(takeOver, { timeout: 15_000, interval: 100 })
  machine.wake()
  return [first, second!]
}

test('a finish does not replace an update', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  const stream = await started(one)
  await two.updateMessage('c', 'm', { ...ASSISTANT, content: 'theirs' })
  await expect(stream.finish()).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  await expect(stream.append('more')).rejects.toMatchObject({ code: 'CONFLICT' })
  expect(await contents(two)).toEqual([['theirs', undefined]])
  expect(await two.store.list('stream/')).toEqual([])
})

test('what a writer stored after its message was removed goes, too', async () => {
  const { open } = streamRig()
  const [one, two] = [await open(), await open()]
  const stream = await started(one)
  await two.clearHistory('c')
  await stream.append('two')
  await stream.flush()
  expect(await two.store.list('stream/')).not.toEqual([])
  await expect(stream.finish()).rejects.toMatchObject({ code: 'NOT_FOUND', effect: 'none' })
  expect(await two.store.list('stream/')).toEqual([])
})

test('of two writers that end a message at once the one that took it over does', async () => {
  const rig = streamRig()
  const [first, second] = await twoWriters(rig)
  const ended = await Promise.allSettled([
    first!.finish({ ...ASSISTANT, content: 'first' }),
    second!.finish({ ...ASSISTANT, content: 'second' }),
  ])
  expect(ended.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(ended[0]).toMatchObject({ reason: { code: 'CONFLICT' } })
  expect(await contents(await rig.open())).toEqual([['second', 'completed']])
}, 30_000)

test('a writer that slept does not end what another one took over', async () => {
  const [first, second] = await twoWriters(streamRig())
  await expect(first!.finish()).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  await second!.append(' two')
  await second!.finish()
  expect(second!.message).toMatchObject({ content: 'one two' })
}, 30_000)

test.each(['refused', 'hung', 'reply-lost', 'reset'] as const)(
  'a message is ended while both databases fail (%s), if the call is repeated',
  async (mode) => {
    const { open, primary, backup } = streamRig()
    const history = await open()
    const stream = await started(history)
    for (const place of [primary, backup]) place.setMode(mode)
    const repair = setTimeout(() => {
      for (const place of [primary, backup]) place.setMode('up')
    }, 1_500)
    onTestFinished(() => clearTimeout(repair))
    await vi.waitUntil(
      () =>
        stream.finish().then(
          () => true,
          (error: { code: string }) => {
            expect(['UNAVAILABLE', 'TIMEOUT']).toContain(error.code)
            return false
          },
        ),
      { timeout: 20_000, interval: 50 },
    )
    await vi.waitUntil(async () => (await history.getMessage('c', 'm').catch(() => {}))?.content)
    expect(await contents(history)).toEqual([['one', 'completed']])
  },
  30_000,
)

test('an end whose first try may stand does not say that it has no effect', async () => {
  const { open } = streamRig()
  const history = await open()
  const stream = await started(history)
  const unknown = new StorageError('TIMEOUT', 'no answer', { effect: 'unknown' })
  const closed = new StorageError('CLOSED', 'the store is closed', { effect: 'none' })
  vi.spyOn(history.store, 'write').mockRejectedValueOnce(unknown)
  vi.spyOn(history.store, 'editItem').mockRejectedValueOnce(closed)
  await expect(stream.finish()).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
})

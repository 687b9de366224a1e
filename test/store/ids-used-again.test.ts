// Goal: an id of a caller's means one message, whichever process uses it again and whatever is out; a clear
// sets it free. Method: two processes on shared databases in memory, each with a way to them of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory, type NewMessage } from '../../src/index.ts'
import { StorageError } from '../../src/core/errors.ts'
import { sleep } from '../../src/core/time.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'

interface Process {
  readonly history: ChatHistory
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
}

interface Rig {
  readonly env: VirtualEnv
  readonly open: (write?: object) => Promise<Process>
}

function rig(): Rig {
  const env = virtualEnv()
  const databases = {
    primary: new DurableMemoryBackend(env),
    backup: new DurableMemoryBackend(env),
  }
  return {
    env,
    open: async (config = {}) => {
      const primary = faultyBackend(databases.primary)
      const backup = faultyBackend(databases.backup)
      const write = { type: 'idempotent', config } as const
      const options = { env, primary, backup, wal: 'memory:', write } as const
      const history = await env.drive(openChatHistory(options))
      onTestFinished(() => env.drive(history.close()))
      return { history, primary, backup }
    },
  }
}

const message = (content: string, id: string): NewMessage => ({ id, role: 'user', content })

async function contents(env: VirtualEnv, { history }: Process): Promise<readonly unknown[]> {
  const { messages, complete } = await env.drive(history.getHistory('c'))
  expect(complete).toBe(true)
  return messages.map(({ content }) => content)
}

describe('after a clear an id is free', () => {
  test.each(['same', 'other'])('for a save of the %s content', async (content) => {
    const { env, open } = rig()
    const one = await open()
    const { position } = await env.drive(one.history.saveMessage('c', message('same', 'm1')))
    await env.drive(one.history.clearHistory('c'))
    const again = await env.drive(one.history.saveMessage('c', message(content, 'm1')))
    expect(again.position > position).toBe(true)
    expect(again.copies.length).toBeGreaterThanOrEqual(2)
    expect(await contents(env, one)).toEqual([content])
  })

  test('also when it was updated before', async () => {
    const { env, open } = rig()
    const one = await open()
    await env.drive(one.history.saveMessage('c', message('old', 'm1')))
    await env.drive(one.history.updateMessage('c', 'm1', { role: 'user', content: 'edited' }))
    await env.drive(one.history.clearHistory('c'))
    await env.drive(one.history.saveMessage('c', message('new', 'm1')))
    expect(await contents(env, one)).toEqual(['new'])
  })

  test.each(['same', 'other'])('also when another process cleared: %s content', async (content) => {
    const { env, open } = rig()
    const [one, two] = [await open(), await open()]
    // Its log keeps the save for as long as the backup is out.
    one.backup.setMode('refused')
    await env.drive(one.history.saveMessage('c', message('same', 'm1')))
    await env.drive(two.history.clearHistory('c'))
    const { copies } = await env.drive(one.history.saveMessage('c', message(content, 'm1')))
    expect(copies).toContain('primary')
    expect(await contents(env, two)).toEqual([content])
  })
})

const TAKES_NOTHING: Readonly<Record<string, (primary: FaultyBackend) => void>> = {
  'is out': (primary) => primary.setMode('refused'),
  'answers, and takes nothing': (primary) =>
    primary.onCall((operation) => {
      if (operation === 'apply') throw new Error('the disk is full')
    }),
}

describe.each(['same', 'other'])(
  'after a clear that a place lacks an id is free: %s content',
  (content) => {
    test.each(Object.keys(TAKES_NOTHING))(
      'the backup, which decides while the primary %s',
      async (name) => {
        const { env, open } = rig()
        const one = await open()
        const { position } = await env.drive(one.history.saveMessage('c', message('same', 'm1')))
        await env.drive(one.history.flush())
        one.backup.setMode('refused')
        await env.drive(one.history.clearHistory('c'))
        TAKES_NOTHING[name]!(one.primary)
        one.backup.setMode('up')
        const again = await env.drive(one.history.saveMessage('c', message(content, 'm1')))
        expect(again.position > position).toBe(true)
        one.primary.setMode('up')
        one.primary.onCall(() => {})
        await env.advance(20_000)
        expect(await contents(env, one)).toEqual([content])
      },
    )

    test('the primary, which another process cleared past', async () => {
      const { env, open } = rig()
      const [one, two] = [await open(), await open()]
      const { position } = await env.drive(one.history.saveMessage('c', message('same', 'm1')))
      await env.drive(one.history.flush())
      one.primary.setMode('refused')
      await env.drive(one.history.clearHistory('c'))
      const again = await env.drive(two.history.saveMessage('c', message(content, 'm1')))
      expect(again.position > position).toBe(true)
      one.primary.setMode('up')
      await env.advance(20_000)
      expect(await contents(env, two)).toEqual([content])
    })
  },
)

test('a clear that only the log of an earlier life has sets an id free', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const database = new DurableMemoryBackend()
  const apply = database.apply.bind(database)
  let isFlushed = true
  database.apply = async (operations, options) => {
    if (options?.cursor !== undefined && !isFlushed) throw new Error('not yet')
    return await apply(operations, options)
  }
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(database)
  const open = (): Promise<ChatHistory> =>
    openChatHistory({ primary, backup, wal: `file:${directory}`, drainTimeout: 50 })
  const before = await open()
  const { position } = await before.saveMessage('c', message('same', 'm1'))
  await before.flush()
  backup.setMode('refused')
  await before.clearHistory('c')
  await before.close()
  primary.setMode('refused')
  backup.setMode('up')
  isFlushed = false
  const after = await open()
  onTestFinished(() => after.close())
  const again = await after.saveMessage('c', message('same', 'm1'))
  expect(again.position > position).toBe(true)
})

test('an id that another process removed is taken, also where only the place that decides can be asked', async () => {
  const { env, open } = rig()
  const [one, two] = [await open(), await open()]
  await env.drive(one.history.saveMessage('c', message('first', 'm1')))
  await env.drive(two.history.deleteMessage('c', 'm1'))
  await env.drive(two.history.flush())
  for (const place of [one.primary, one.backup]) {
    place.onCall((operation) => {
      if (operation === 'readItemsById') throw new Error('the connection was reset')
    })
  }
  const save = one.history.saveMessage('c', message('first', 'm1'))
  await expect(env.drive(save)).rejects.toThrow('was removed and cannot be used again')
})

test('what one database said of an id is not forgotten when the other one fails', async () => {
  const { env, open } = rig()
  const [one, two] = [await open(), await open()]
  two.primary.setMode('refused')
  await env.drive(two.history.saveMessage('c', message('first', 'm1')))
  await env.drive(two.history.deleteMessage('c', 'm1'))
  let asked = 0
  one.primary.onCall((operation) => {
    if (operation === 'readItemsById') throw new Error('the connection was reset')
  })
  one.backup.onCall((operation) => {
    if (operation === 'readItemsById' && ++asked > 1) throw new Error('the connection was reset')
  })
  const save = one.history.saveMessage('c', message('first', 'm1'))
  await expect(env.drive(save)).rejects.toThrow('was removed and cannot be used again')
  expect(asked).toBe(1)
})

// Found by the simulation (1201421): the process remembered its own save, and not what it was told of it.
test('what a process was told of a removed id it knows when both databases are out', async () => {
  const { env, open } = rig()
  const [one, two] = [await open(), await open()]
  await env.drive(one.history.saveMessage('c', message('first', 'm1')))
  await env.drive(two.history.deleteMessage('c', 'm1'))
  await env.drive(Promise.all([one.history.flush(), two.history.flush()]))
  const save = (): Promise<unknown> => one.history.saveMessage('c', message('first', 'm1'))
  await expect(env.drive(save())).rejects.toThrow('was removed and cannot be used again')
  one.primary.setMode('refused')
  one.backup.setMode('refused')
  await expect(env.drive(save())).rejects.toThrow('was removed and cannot be used again')
  one.primary.setMode('up')
  one.backup.setMode('up')
})

// Found by the simulation (1203259): the new content went by the stamp of the first one, and the databases differed.
test('an id of which only an update can be reached is not saved with content that may be another', async () => {
  const { env, open } = rig()
  const [one, two] = [await open(), await open()]
  one.primary.setMode('refused')
  await env.drive(one.history.saveMessage('c', message('first', 'm1')))
  await env.drive(two.history.updateMessage('c', 'm1', { role: 'user', content: 'second' }))
  two.backup.setMode('refused')
  const save = two.history.saveMessage('c', message('other', 'm1'))
  await expect(env.drive(save)).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
  one.primary.setMode('up')
  two.backup.setMode('up')
  await env.drive(Promise.all([one.history.flush(), two.history.flush()]))
  expect(await contents(env, two)).toEqual(['second'])
})

describe('what another process saved past the primary', () => {
  async function savedPastPrimary(): Promise<{ env: VirtualEnv; one: Process; two: Process }> {
    const { env, open } = rig()
    const [one, two] = [await open(), await open()]
    one.primary.setMode('refused')
    const receipt = await env.drive(one.history.saveMessage('c', message('first', 'm1')))
    expect(receipt.copies).toEqual(['backup', 'wal'])
    return { env, one, two }
  }

  test('is in a complete read at once', async () => {
    const { env, two } = await savedPastPrimary()
    expect(await contents(env, two)).toEqual(['first'])
  })

  test('keeps its place when it is saved again', async () => {
    const { env, one, two } = await savedPastPrimary()
    await env.drive(two.history.saveMessage('c', message('answer', 'm2')))
    const [first, again] = [one, two].map(({ history }) =>
      env.drive(history.saveMessage('c', message('first', 'm1'))),
    )
    expect((await again!).position).toBe((await first!).position)
    expect(await contents(env, two)).toEqual(['first', 'answer'])
  })

  test('is not replaced by other content', async () => {
    const { env, one, two } = await savedPastPrimary()
    const save = two.history.saveMessage('c', message('other', 'm1'))
    await expect(env.drive(save)).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
    one.primary.setMode('up')
    await env.advance(10_000)
    expect(await contents(env, one)).toEqual(['first'])
  })

  test.each(['readHints', 'readItemsById'])(
    'is not replaced although a call failed: %s',
    async (failing) => {
      const { env, two } = await savedPastPrimary()
      let calls = 0
      two.backup.onCall((operation) => {
        if (operation === failing && ++calls === 1) throw new Error('the connection was reset')
      })
      const save = two.history.saveMessage('c', message('other', 'm1'))
      await expect(env.drive(save)).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
      expect(calls).toBeGreaterThan(1)
    },
  )

  test('is refused as a removed one once it is removed', async () => {
    const { env, two } = await savedPastPrimary()
    await env.drive(two.history.deleteMessage('c', 'm1'))
    const save = two.history.saveMessage('c', message('first', 'm1'))
    await expect(env.drive(save)).rejects.toThrow('was removed and cannot be used again')
  })

  test('can be updated, and removed', async () => {
    const { env, two } = await savedPastPrimary()
    await env.drive(two.history.updateMessage('c', 'm1', { role: 'user', content: 'edited' }))
    expect(await contents(env, two)).toEqual(['edited'])
    await env.drive(two.history.deleteMessage('c', 'm1'))
    expect(await contents(env, two)).toEqual([])
  })

  test('is free again where it cleared, for a process that still had it', async () => {
    const { env, open } = rig()
    const [one, two] = [await open(), await open()]
    const first = await env.drive(two.history.saveMessage('c', message('same', 'm1')))
    await env.drive(two.history.flush())
    await env.advance(2_000)
    one.primary.setMode('refused')
    await env.drive(one.history.clearHistory('c'))
    const again = await env.drive(two.history.saveMessage('c', message('same', 'm1')))
    expect(again.position > first.position).toBe(true)
    one.primary.setMode('up')
    await env.advance(10_000)
    expect(await contents(env, one)).toEqual(['same'])
  })

  test('is cleared where it cleared', async () => {
    const { env, one, two } = await savedPastPrimary()
    await env.drive(two.history.saveMessage('c', message('more', 'm2')))
    await env.advance(10)
    await env.drive(one.history.clearHistory('c'))
    expect(await contents(env, two)).toEqual([])
    const update = two.history.updateMessage('c', 'm1', { role: 'user', content: 'edited' })
    await expect(env.drive(update)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('a primary that lives', () => {
  test('decides although a call of it failed: of two contents one is refused', async () => {
    const { env, open } = rig()
    const [one, two] = [await open(), await open()]
    // The backup has yet to get the first save.
    one.backup.setMode('refused')
    await env.drive(one.history.saveMessage('c', message('first', 'm1')))
    let calls = 0
    two.primary.onCall((operation) => {
      if (operation === 'apply' && ++calls === 1) throw new Error('the connection was reset')
    })
    const save = two.history.saveMessage('c', message('other', 'm1'))
    await expect(env.drive(save)).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await contents(env, two)).toEqual(['first'])
  })

  test('decides although it is busy: the save is to be tried again', async () => {
    const { env, open } = rig()
    const [one, two] = [await open(), await open()]
    two.primary.onCall((operation) => {
      if (operation === 'apply') throw new StorageError('OVERLOADED', 'much is waiting')
    })
    const save = two.history.saveMessage('c', message('other', 'm1'))
    await expect(env.drive(save)).rejects.toMatchObject({ code: 'OVERLOADED', effect: 'none' })
    await env.drive(one.history.saveMessage('c', message('first', 'm1')))
    await env.advance(10_000)
    expect(await contents(env, one)).toEqual(['first'])
    // Of its own ids nobody has to decide.
    const own = { role: 'user', content: 'without an id' } as const
    const { copies } = await env.drive(two.history.saveMessage('c', own))
    expect(copies).toEqual(['backup', 'wal'])
  })

  test('decides nothing while it answers nobody, however much waits for it', async () => {
    const { env, open } = rig()
    const one = await open()
    one.primary.onCall((operation) => {
      if (operation === 'apply') throw new StorageError('OVERLOADED', 'much is waiting')
      throw new Error('the connection was reset')
    })
    const { copies } = await env.drive(one.history.saveMessage('c', message('first', 'm1')))
    expect(copies).toEqual(['backup', 'wal'])
  })

  test('does not hold up a save for which it has no memory', async () => {
    const { env, open } = rig()
    const one = await open()
    const cause = new Error("OOM command not allowed when used memory > 'maxmemory'.")
    one.primary.onCall((operation) => {
      if (operation === 'apply') throw new StorageError('OVERLOADED', cause.message, { cause })
    })
    const { copies } = await env.drive(one.history.saveMessage('c', message('first', 'm1')))
    expect(copies).toEqual(['backup', 'wal'])
  })

  test('does not hold up a save that it can never take, as when its disk is full', async () => {
    const { env, open } = rig()
    const one = await open()
    one.primary.onCall((operation) => {
      if (operation === 'apply') throw new Error('the disk is full')
    })
    const { copies } = await env.drive(one.history.saveMessage('c', message('first', 'm1')))
    expect(copies).toEqual(['backup', 'wal'])
  })
})

describe('a primary that is late', () => {
  test('decides all the same: of two first saves of an id one is acknowledged', async () => {
    const { env, open } = rig()
    const both = [await open(), await open()]
    for (const { primary } of both) {
      primary.onCall(async (operation) => {
        if (operation === 'apply') await sleep(env, 600)
      })
    }
    const saves = both.map(({ history }, i) =>
      history.saveMessage('c', message(`content ${i}`, 'turn-1')),
    )
    const outcomes = await env.drive(Promise.allSettled(saves))
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'CONFLICT' },
    })
  })

  test('for one process decides all the same, and not the backup beside it', async () => {
    const { env, open } = rig()
    const [one, two] = [await open(), await open()]
    one.primary.onCall(async (operation) => {
      if (operation === 'apply') await sleep(env, 600)
    })
    // What the backup has yet to get it cannot refuse.
    two.backup.setMode('refused')
    const saves = [one, two].map(({ history }, i) =>
      history.saveMessage('c', message(`content ${i}`, 'turn-1')),
    )
    const outcomes = await env.drive(Promise.allSettled(saves))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    two.backup.setMode('up')
    await env.advance(10_000)
    expect(await contents(env, two)).toEqual(['content 1'])
  })

  test('is waited for before a message is said to be missing', async () => {
    const { env, open } = rig()
    const one = await open()
    await env.drive(one.history.saveMessage('c', message('first', 'm1')))
    one.primary.onCall(async (operation) => {
      if (operation === 'readItemsById') await sleep(env, 600)
    })
    const update = one.history.updateMessage('c', 'nobody', { role: 'user', content: 'x' })
    await expect(env.drive(update)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('and answers nobody holds up a save for about a second', async () => {
    const { env, open } = rig()
    const one = await open()
    // The first save waits longer for the primary.
    await env.drive(one.history.saveMessage('c', message('zeroth', 'm0')))
    one.primary.setMode('hung')
    const startedAt = env.monotonic()
    const { copies } = await env.drive(one.history.saveMessage('c', message('first', 'm1')))
    expect(copies).toEqual(['backup', 'wal'])
    expect(env.monotonic() - startedAt).toBeLessThan(2_000)
  })

  test('and cannot be reached leaves the id undecided where that is asked for', async () => {
    const { env, open } = rig()
    const one = await open({ decideWithoutPrimary: false })
    one.primary.setMode('refused')
    const save = one.history.saveMessage('c', message('first', 'm1'))
    await expect(env.drive(save)).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    // An id of our own is new in any case.
    const { copies } = await env.drive(
      one.history.saveMessage('c', { role: 'user', content: 'without an id' }),
    )
    expect(copies).toEqual(['backup', 'wal'])
  })
})

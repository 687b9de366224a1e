/* What `bench/langgraph.ts` measures on PostgreSQL, each saver in a process of its own. */
import { randomUUID } from 'node:crypto'
import type { RunnableConfig } from '@langchain/core/runnables'
import { emptyCheckpoint, uuid6, type BaseCheckpointSaver } from '@langchain/langgraph-checkpoint'
import { EverthreadSaver } from '../../src/adapters/langgraph.ts'
import type { Subject } from '../support/measure.ts'
import { importPeer } from '../support/peer.ts'
import { storeOnPostgres } from '../support/store-on-postgres.ts'

const THREADS = 100
const CONNECTIONS = 16
const FILLED_AT_ONCE = 8

export const SETTINGS = { threads: THREADS, connections: CONNECTIONS } as const

export interface Target {
  readonly url: string
  readonly directory: string
  /** Of `bench/peers`. */
  readonly file: string
  /** Threads to be removed, and the steps of each. */
  readonly removed: number
  readonly steps: number
}

/** Saves checkpoints, reads the latest one of a thread, and removes threads. */
export async function everthread(target: Target): Promise<readonly Subject[]> {
  const { url, directory } = target
  const history = await storeOnPostgres(url, directory, 'langgraph', { write: 'idempotent' })
  return await subjectsOf('EverthreadSaver', 'primary + wal', target, {
    saver: new EverthreadSaver(history),
    settle: () => history.flush(),
    close: () => history.close(),
  })
}

export async function postgresSaver(target: Target): Promise<readonly Subject[]> {
  const { openSaver } = (await importPeer(target.file)) as unknown as {
    readonly openSaver: (options: object) => Promise<Opened>
  }
  const opened = await openSaver({ url: target.url, connections: CONNECTIONS })
  return await subjectsOf('PostgresSaver', 'primary', target, opened)
}

interface Opened {
  readonly saver: BaseCheckpointSaver<number>
  settle?(): Promise<unknown>
  close(): Promise<void>
}

async function subjectsOf(
  name: string,
  promise: string,
  { removed, steps }: Target,
  { saver, settle, close }: Opened,
): Promise<readonly Subject[]> {
  const latest = new Map<string, RunnableConfig>()
  let version = 0
  /** One of a graph of three channels, of which two are new. */
  const put = async (thread: string): Promise<RunnableConfig> => {
    const config = latest.get(thread) ?? { configurable: { thread_id: thread, checkpoint_ns: '' } }
    const own = ++version
    const checkpoint = {
      ...emptyCheckpoint(),
      id: uuid6(0),
      channel_values: {
        messages: Array.from({ length: 4 }, (_, i) => ({ id: `${i}`, content: 'x'.repeat(500) })),
        next: own,
      },
      channel_versions: { messages: own, next: own, __start__: 1 },
    }
    const versions = { messages: own, next: own }
    const metadata = { source: 'loop', step: own, parents: {} } as const
    const saved = await saver.put(config, checkpoint, metadata, versions)
    latest.set(thread, saved)
    return saved
  }
  const write = async (thread: string): Promise<void> => {
    const value = { id: '1', content: 'x'.repeat(500) }
    const writes: [string, unknown][] = [
      ['messages', value],
      ['next', version],
    ]
    await saver.putWrites(latest.get(thread)!, writes, randomUUID(), '~1')
  }
  const fill = async (thread: string): Promise<void> => {
    for (let i = 0; i < steps; i++) {
      await put(thread)
      await write(thread)
    }
  }
  const filled = Array.from({ length: removed + 1 }, (_, i) => `filled ${i}`)
  for (let i = 0; i < filled.length; i += FILLED_AT_ONCE) {
    await Promise.all(filled.slice(i, i + FILLED_AT_ONCE).map(fill))
  }
  const read = filled.shift()!
  await settle?.()
  const settling = settle !== undefined && { settle }
  return [
    {
      name: `${name}.put`,
      promise,
      run: (_round, i) => put(`t${i % THREADS}`),
      ...settling,
      close,
    },
    {
      name: `${name}.putWrites`,
      promise,
      run: async (_round, i) => {
        const thread = `t${i % THREADS}`
        if (!latest.has(thread)) await put(thread)
        await write(thread)
      },
      ...settling,
      close: async () => {},
    },
    {
      name: `${name}.getTuple, the latest of ${steps}`,
      promise,
      run: () => saver.getTuple({ configurable: { thread_id: read, checkpoint_ns: '' } }),
      close: async () => {},
    },
    {
      name: `${name}.deleteThread of ${steps} steps`,
      promise,
      run: () => saver.deleteThread(filled.shift()!),
      ...settling,
      close: async () => {},
    },
  ]
}

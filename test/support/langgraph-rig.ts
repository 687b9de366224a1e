import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunnableConfig } from '@langchain/core/runnables'
import {
  emptyCheckpoint,
  uuid6,
  type BaseCheckpointSaver,
  type Checkpoint,
  type CheckpointTuple,
} from '@langchain/langgraph-checkpoint'
import { onTestFinished } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'

/** Programs of each comparison; more find more. */
export const RUNS: number = Number(process.env['EVERTHREAD_LANGGRAPH_RUNS'] ?? 10)
export const MEMORY = { primary: 'memory:', backup: 'memory:', wal: 'memory:' } as const
/** Text that some databases cannot store, or that means something in a path or an object. */
export const ODD: readonly string[] = [
  'nul \0',
  'lone \ud800',
  '🙂',
  '__proto__',
  '#hash',
  'a/b',
  '',
  'x'.repeat(3_000),
]

export async function open(options: ChatHistoryOptions = MEMORY): Promise<ChatHistory> {
  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  return history
}

export async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'everthread-langgraph-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

export function files(path: string): ChatHistoryOptions {
  const at = (name: string): string => join(path, name)
  return {
    primary: `sqlite:${at('primary.db')}`,
    backup: `sqlite:${at('backup.db')}`,
    wal: `file:${at('wal')}`,
  }
}

export function threadConfig(thread: string, namespace = '', id?: string): RunnableConfig {
  const checkpoint = id !== undefined && { checkpoint_id: id }
  return { configurable: { thread_id: thread, checkpoint_ns: namespace, ...checkpoint } }
}

export const META = { source: 'loop', step: 1, parents: {} } as const

/** A checkpoint whose channels are all new. */
export async function put(
  saver: BaseCheckpointSaver<number>,
  config: RunnableConfig,
  values: Record<string, unknown>,
  more: { readonly id?: string; readonly metadata?: object } = {},
): Promise<RunnableConfig> {
  const names = Object.keys(values)
  const versions = Object.fromEntries(names.map((name) => [name, saver.getNextVersion(undefined)]))
  const checkpoint: Checkpoint = {
    ...emptyCheckpoint(),
    id: more.id ?? uuid6(0),
    channel_values: values,
    channel_versions: versions,
  }
  return await saver.put(config, checkpoint, { ...META, ...more.metadata }, versions)
}

export async function all(
  saver: BaseCheckpointSaver,
  config: RunnableConfig,
  options?: Parameters<BaseCheckpointSaver['list']>[1],
): Promise<CheckpointTuple[]> {
  const tuples: CheckpointTuple[] = []
  for await (const tuple of saver.list(config, options)) tuples.push(tuple)
  return tuples
}

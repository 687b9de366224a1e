import type { RunnableConfig } from '@langchain/core/runnables'
import { getCheckpointId } from '@langchain/langgraph-checkpoint'
import { invalid } from '../../core/errors.ts'
import { showKind } from '../../core/show-value.ts'

/** What a config says of where a checkpoint is. */
export interface Where {
  readonly thread?: string
  readonly namespace?: string
  readonly id?: string
}

/** @throws StorageError `INVALID_ARGUMENT` for a field that is no text. */
export function whereOf(config: RunnableConfig): Where {
  const { thread_id: thread, checkpoint_ns: namespace } = fieldsOf(config)
  const id = getCheckpointId(config) as unknown
  return {
    ...(isGiven('thread_id', thread) && { thread }),
    ...(isGiven('checkpoint_ns', namespace) && { namespace }),
    ...(isGiven('checkpoint_id', id) && id !== '' && { id }),
  }
}

/** The same for a write, which needs a thread, and one to a checkpoint its id. */
export function targetOf(
  config: RunnableConfig,
): Where & { readonly thread: string; readonly namespace: string } {
  const { thread, namespace = '', id } = whereOf(config)
  if (thread === undefined) throw invalid('configurable.thread_id must be given')
  if (thread === '') throw invalid('configurable.thread_id must not be empty')
  return { thread, namespace, ...(id !== undefined && { id }) }
}

/** The config of a checkpoint, as the framework hands it on. */
export function configOf(thread: string, namespace: string, id: string): RunnableConfig {
  return { configurable: { thread_id: thread, checkpoint_ns: namespace, checkpoint_id: id } }
}

function fieldsOf({ configurable = {} }: RunnableConfig): Record<string, unknown> {
  return configurable
}

function isGiven(name: string, given: unknown): given is string {
  if (given === undefined || given === null) return false
  if (typeof given === 'string') return true
  throw invalid(`configurable.${name} must be a string, got ${showKind(given)}`)
}

/*
 * Persistence of TanStack AI: its stores of messages, runs, interrupts and metadata. Its package is not depended on:
 * what is here has the shapes of its interfaces.
 */
import type { ChatHistory } from '../chat/chat-history.ts'
import { StorageError } from '../core/errors.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import { adapterPrefix, keyPart } from './adapter-parts.ts'
import { ThreadMessages, type ThreadMessage } from './tanstack-ai/thread-messages.ts'
import { allItems, ThreadRecords, type FoundRecord } from './tanstack-ai/thread-records.ts'

export type { ThreadMessage } from './tanstack-ai/thread-messages.ts'

/** How far a run is. */
export type RunStatus = 'running' | 'interrupted' | 'completed' | 'failed' | 'aborted'

/** A run of an agent in a thread. Times are Unix milliseconds. */
export interface RunRecord {
  runId: string
  threadId: string
  status: RunStatus
  startedAt: number
  finishedAt?: number
  error?: { message: string; code?: string }
  usage?: { promptTokens: number; completionTokens: number; totalTokens: number }
  sandboxKey?: string
  detachedSince?: number
  cancelRequested?: boolean
  driverEpoch?: number
}

/** What changes of a run. A field that is undefined goes. */
export type RunPatch = {
  [Field in keyof Omit<RunRecord, 'runId' | 'threadId' | 'startedAt'>]?:
    RunRecord[Field] | undefined
}

/** A question to a person, who has not answered yet or has. Times are Unix milliseconds. */
export interface InterruptRecord {
  interruptId: string
  runId: string
  threadId: string
  status: 'pending' | 'resolved' | 'cancelled'
  requestedAt: number
  resolvedAt?: number
  payload: Record<string, unknown>
  response?: unknown
}

/** One answer of several that count together. */
export type InterruptCommitEntry =
  | { interruptId: string; status: 'resolved'; response?: unknown }
  | { interruptId: string; status: 'cancelled' }

/** The messages of threads: each thread is a conversation of the history. */
export interface MessageStore<Message> {
  loadThread: (threadId: string) => Promise<Message[]>
  /** The whole thread: what differs is written, and nothing else. */
  saveThread: (threadId: string, messages: Message[]) => Promise<void>
}

/** Runs by their ids and threads. */
export interface RunStore {
  createOrResume: (
    input: Pick<RunRecord, 'runId' | 'threadId' | 'startedAt'> & { status?: RunStatus },
  ) => Promise<RunRecord>
  update: (runId: string, patch: RunPatch) => Promise<void>
  get: (runId: string) => Promise<RunRecord | null>
  /** The running one that was started last. */
  findActiveRun: (threadId: string) => Promise<RunRecord | null>
  listByThread: (threadId: string) => Promise<RunRecord[]>
}

/** Interrupts by their ids, threads and runs, in the order of `requestedAt`. */
export interface InterruptStore {
  create: (record: Omit<InterruptRecord, 'status' | 'resolvedAt'>) => Promise<void>
  resolve: (interruptId: string, response?: unknown) => Promise<void>
  cancel: (interruptId: string) => Promise<void>
  /** All or none: `CONFLICT` unless all are there, and pending. */
  commitBatch: (entries: readonly InterruptCommitEntry[]) => Promise<void>
  get: (interruptId: string) => Promise<InterruptRecord | null>
  list: (threadId: string) => Promise<InterruptRecord[]>
  listPending: (threadId: string) => Promise<InterruptRecord[]>
  listByRun: (runId: string) => Promise<InterruptRecord[]>
  listPendingByRun: (runId: string) => Promise<InterruptRecord[]>
}

/** Values of the application's by namespace and key. */
export interface MetadataStore {
  get: (namespace: string, key: string) => Promise<unknown>
  set: (namespace: string, key: string, value: unknown) => Promise<void>
  delete: (namespace: string, key: string) => Promise<void>
}

/** What `withPersistence` takes. */
export interface TanStackPersistence<Message> {
  readonly stores: {
    readonly messages: MessageStore<Message>
    readonly runs: RunStore
    readonly interrupts: InterruptStore
    readonly metadata: MetadataStore
  }
}

/**
 * The stores of TanStack AI in a history, which the caller opens and closes: `tanstackPersistence<ModelMessage>(history)`.
 * One of `forTenant` has those of that tenant. Errors are those of the history: an outage is no empty thread.
 */
export function tanstackPersistence<Message extends ThreadMessage = ThreadMessage>(
  history: ChatHistory,
): TanStackPersistence<Message> {
  const { store, tenant } = history
  const prefix = adapterPrefix(tenant, 'tanstack-ai')
  const messages = new ThreadMessages(history)
  return {
    stores: {
      messages: {
        loadThread: async (threadId) => (await messages.load(threadId)) as Message[],
        saveThread: (threadId, given) => messages.save(threadId, given),
      },
      runs: runStore(new ThreadRecords(store, `${prefix}run/`)),
      interrupts: interruptStore(store, prefix),
      metadata: metadataStore(store, `${prefix}value/`),
    },
  }
}

function runStore(runs: ThreadRecords<RunRecord>): RunStore {
  const listByThread = async (threadId: string): Promise<RunRecord[]> => {
    return (await runs.ofThread(threadId)).toSorted((a, b) => a.startedAt - b.startedAt)
  }
  return {
    createOrResume: ({ runId, threadId, startedAt, status = 'running' }) =>
      runs.create(runId, threadId, { runId, threadId, status, startedAt }),
    update: (runId, patch) =>
      runs.update(runId, (record) => ({ ...record, ...patch }) as RunRecord),
    get: async (runId) => (await runs.find(runId))?.record ?? null,
    findActiveRun: async (threadId) => {
      const active = (await runs.ofThread(threadId)).filter(({ status }) => status === 'running')
      return active.toSorted((a, b) => b.startedAt - a.startedAt)[0] ?? null
    },
    listByThread,
  }
}

function interruptStore(store: StrategicStorageManager, prefix: string): InterruptStore {
  const records = new ThreadRecords<InterruptRecord>(store, `${prefix}interrupt/`)
  const byRun = (runId: string): string => `${prefix}interrupts-of/${keyPart(runId, 'runId')}`
  const end = (entry: object) => (record: InterruptRecord) => {
    return { ...record, ...entry, resolvedAt: store.now() }
  }
  const list = async (threadId: string): Promise<InterruptRecord[]> =>
    inOrder(await records.ofThread(threadId))
  const listByRun = async (runId: string): Promise<InterruptRecord[]> => {
    const ids = await allItems<string>(store, byRun(runId))
    const found = await Promise.all(ids.map((id) => records.find(id)))
    return inOrder(found.flatMap((each) => each?.record ?? []))
  }
  return {
    create: async (given) => {
      const { interruptId, runId, threadId } = given
      const record: InterruptRecord = { ...given, status: 'pending' }
      const beside = { kind: 'append', key: byRun(runId), value: interruptId } as const
      await records.create(interruptId, threadId, record, [beside])
    },
    resolve: (id, response) => records.update(id, end({ status: 'resolved', response })),
    cancel: (id) => records.update(id, end({ status: 'cancelled' })),
    commitBatch: async (entries) => {
      if (entries.length === 0) return
      const found = await Promise.all(entries.map(({ interruptId }) => records.find(interruptId)))
      const pending = checkPending(entries, found)
      await records.write(pending, (record) => {
        return end(entries.find(({ interruptId }) => interruptId === record.interruptId)!)(record)
      })
    },
    get: async (id) => (await records.find(id))?.record ?? null,
    list,
    listByRun,
    listPending: async (threadId) => (await list(threadId)).filter(isPending),
    listPendingByRun: async (runId) => (await listByRun(runId)).filter(isPending),
  }
}

function metadataStore(store: StrategicStorageManager, prefix: string): MetadataStore {
  const keyOf = (namespace: string, key: string): string =>
    `${prefix}${keyPart(namespace, 'namespace')}/${keyPart(key)}`
  return {
    get: async (namespace, key) =>
      (await store.get<{ readonly value?: unknown }>(keyOf(namespace, key)))?.value ?? null,
    set: async (namespace, key, value) => {
      await store.set(keyOf(namespace, key), { value })
    },
    delete: async (namespace, key) => {
      await store.delete(keyOf(namespace, key))
    },
  }
}

function isPending({ status }: InterruptRecord): boolean {
  return status === 'pending'
}

/** Those of one time stay as they were created. */
function inOrder(records: readonly InterruptRecord[]): InterruptRecord[] {
  return records.toSorted((a, b) => a.requestedAt - b.requestedAt)
}

function checkPending(
  entries: readonly InterruptCommitEntry[],
  found: readonly (FoundRecord<InterruptRecord> | undefined)[],
): FoundRecord<InterruptRecord>[] {
  const ids = new Set<string>()
  return entries.map(({ interruptId }, i) => {
    const record = found[i]
    const name = `interrupt ${JSON.stringify(interruptId)}`
    const refuse = (why: string): StorageError => new StorageError('CONFLICT', `${name} ${why}`)
    if (ids.has(interruptId)) throw refuse('is there twice')
    ids.add(interruptId)
    if (record === undefined) throw refuse('does not exist')
    if (!isPending(record.record)) throw refuse(`is ${record.record.status}`)
    return record
  })
}

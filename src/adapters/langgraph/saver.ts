import type { RunnableConfig } from '@langchain/core/runnables'
import {
  BaseCheckpointSaver,
  copyCheckpoint,
  maxChannelVersion,
  TASKS,
  WRITES_IDX_MAP,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  type DeltaChannelHistory,
  type PendingWrite,
  type SerializerProtocol,
} from '@langchain/langgraph-checkpoint'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { invalid } from '../../core/errors.ts'
import { STAMP_MIN } from '../../core/stamp.ts'
import type { DecodedItem } from '../../store/bulk/bulk-types.ts'
import { configOf, targetOf, whereOf } from './config.ts'
import { deltaHistory } from './delta-history.ts'
import { contains } from './filter.ts'
import { GraphLists, type StoredCheckpoint, type Write } from './graph-lists.ts'
import { pack, unpack, type Packed } from './packed.ts'
import { pruneThread, type PrunedThread, type PruneOptions } from './prune.ts'
import {
  graphPrefix,
  placeOf,
  threadPrefix,
  isOfNamespace,
  valueName,
  type Place,
} from './thread-keys.ts'

type StoredItem = DecodedItem<StoredCheckpoint>

/** Checkpoints that a list reads at once. */
const PAGE = 50

/**
 * Keeps the checkpoints of LangGraph in both databases and the log of a history, for its tenant:
 * `graph.compile({ checkpointer: new EverthreadSaver(history) })`. A step is one group: all of it at a place or nothing.
 *
 * The latest checkpoint of a thread is the one that was put last. Values of channels are stored once for each
 * version. Every method rejects with a `StorageError` when the places that were asked do not answer, and with
 * `INVALID_ARGUMENT` for what is missing in a config.
 */
export class EverthreadSaver extends BaseCheckpointSaver<number> {
  readonly #tenant: string
  readonly #lists: GraphLists

  /**
   * The history is opened and closed by the caller; `history.forTenant(…)` keeps tenants apart.
   *
   * @param serde What makes bytes of values. Default: the framework's, whose JSON is stored as text.
   */
  constructor(history: Pick<ChatHistory, 'store' | 'tenant'>, serde?: SerializerProtocol) {
    super(serde)
    this.#tenant = history.tenant
    this.#lists = new GraphLists(history.store)
  }

  /**
   * Greater than the version before by one and a random fraction: two branches of a thread, which both go on from
   * the same version, give theirs different ones, and so do not share values.
   */
  override getNextVersion(current: number | undefined): number {
    return Math.floor(Number.parseFloat(String(current ?? 0))) + 1 + Math.random()
  }

  /** Undefined when a place answers that there is none; without a `checkpoint_id` it is the latest one. */
  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { thread, namespace = '', id } = whereOf(config)
    if (thread === undefined) return undefined
    const place = placeOf(this.#tenant, thread, namespace)
    const { checkpoints: key } = place
    const found = await (id === undefined ? this.#lists.latest(key) : this.#lists.byId(key, id))
    return (await this.#tuples(found))[0]
  }

  /**
   * Checkpoints, the latest first: of one thread or of all, of one namespace or of all. `before` is one that stands, or
   * any id. Of `filter` each field must be equal in the metadata, objects as far as they are given.
   */
  override async *list(
    config: RunnableConfig,
    options: CheckpointListOptions = {},
  ): AsyncGenerator<CheckpointTuple> {
    const { filter, limit = Infinity } = options
    let left = limit
    for await (const key of this.#keys(config)) {
      for await (const items of this.#pages(key, config, options)) {
        if (left <= 0) return
        const wanted = await this.#matching(items, filter, left)
        left -= wanted.length
        yield* await this.#tuples(wanted)
      }
    }
  }

  /** May be repeated as it is, also after an error with `effect: 'unknown'`: the checkpoint is there once. */
  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { thread, namespace, id: parent } = targetOf(config)
    const { channel_values: values, ...rest } = copyCheckpoint(checkpoint)
    const changed = Object.entries(newVersions).filter(([channel]) =>
      Object.hasOwn(values, channel),
    )
    // All of it is serialized before anything is awaited: the graph goes on changing it.
    const [packed, packedMetadata, ...packedValues] = await Promise.all([
      pack(this.serde, rest),
      pack(this.serde, metadata),
      ...changed.map(([channel]) => pack(this.serde, values[channel])),
    ])
    await this.#lists.saveCheckpoint(
      placeOf(this.#tenant, thread, namespace),
      checkpoint.id,
      {
        thread,
        namespace,
        ...(parent !== undefined && { parent }),
        checkpoint: packed!,
        metadata: packedMetadata!,
      },
      changed.map(([channel, version], i) => ({ channel, version, value: packedValues[i]! })),
    )
    return configOf(thread, namespace, checkpoint.id)
  }

  /**
   * May be repeated: what a task has written stands, but for errors, interrupts and the like, which the repeat
   * replaces. `taskPath` is kept, and `pendingWrites` come in the order of path, task and index.
   */
  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = '',
  ): Promise<void> {
    const { thread, namespace, id } = targetOf(config)
    if (id === undefined) throw invalid('configurable.checkpoint_id must be given')
    const packed = await Promise.all(
      writes.map(async ([channel, value], i) => {
        const index = WRITES_IDX_MAP[channel] ?? i
        return [channel, index, await pack(this.serde, value)] as const
      }),
    )
    if (packed.length === 0) return
    const place = placeOf(this.#tenant, thread, namespace)
    await this.#lists.saveWrites(place, id, { task: taskId, path: taskPath }, packed)
  }

  /**
   * Removes all checkpoints of a thread in all namespaces, with their values and writes.
   *
   * @throws StorageError `UNAVAILABLE` while a place is away that may have more of it; what was found is removed then.
   */
  override async deleteThread(threadId: string): Promise<void> {
    const { thread } = targetOf({ configurable: { thread_id: threadId } })
    await this.#lists.remove(
      (['c', 'x'] as const).map((kind) => threadPrefix(this.#tenant, kind, thread)),
    )
  }

  /**
   * Removes all but the latest checkpoints of a thread, with the values and writes that only they needed; those of
   * subgraphs go with the checkpoint that they belong to. What delta channels are made of stays.
   */
  async prune(threadId: string, options: PruneOptions): Promise<PrunedThread> {
    const { thread } = targetOf({ configurable: { thread_id: threadId } })
    const parts = { tenant: this.#tenant, lists: this.#lists, serde: this.serde }
    return await pruneThread(parts, thread, options)
  }

  /** As described for the base class; reads some ancestors at a time. */
  override async getDeltaChannelHistory(options: {
    config: RunnableConfig
    channels: string[]
  }): Promise<Record<string, DeltaChannelHistory>> {
    const { config, channels } = options
    const { thread, namespace = '', id } = whereOf(config)
    if (thread === undefined || channels.length === 0) return {}
    const place = placeOf(this.#tenant, thread, namespace)
    return await deltaHistory({ lists: this.#lists, serde: this.serde, place, channels, id })
  }

  /** The lists that may have what the config names. */
  async *#keys(config: RunnableConfig): AsyncGenerator<string> {
    const { thread, namespace } = whereOf(config)
    if (thread !== undefined && namespace !== undefined) {
      yield placeOf(this.#tenant, thread, namespace).checkpoints
      return
    }
    const prefix =
      thread === undefined
        ? graphPrefix(this.#tenant, 'c')
        : threadPrefix(this.#tenant, 'c', thread)
    for await (const key of this.#lists.keys(prefix)) {
      if (thread !== undefined || namespace === undefined || isOfNamespace(key, namespace))
        yield key
    }
  }

  async *#pages(
    key: string,
    config: RunnableConfig,
    { before: beforeConfig, limit, filter }: CheckpointListOptions,
  ): AsyncGenerator<readonly StoredItem[]> {
    const { id } = whereOf(config)
    const bound = beforeConfig && whereOf(beforeConfig).id
    if (id !== undefined) {
      yield await this.#lists.byId(key, id)
      return
    }
    let before = bound === undefined ? undefined : (await this.#lists.byId(key, bound))[0]?.position
    const isKnown = before !== undefined
    const size = filter === undefined ? Math.min(PAGE, Math.max(1, limit ?? PAGE)) : PAGE
    for (;;) {
      const { items, done } = await this.#lists.page(key, { before, limit: size })
      // One that is not there bounds by its id, whose beginning is a time.
      yield bound === undefined || isKnown ? items : items.filter((item) => item.id < bound)
      before = items.at(-1)?.position
      if (done || before === undefined) return
    }
  }

  async #matching(
    items: readonly StoredItem[],
    filter: Record<string, unknown> | undefined,
    limit: number,
  ): Promise<readonly StoredItem[]> {
    const wanted: StoredItem[] = []
    for (const item of items) {
      if (wanted.length >= limit) break
      const isWanted =
        filter === undefined || contains(await unpack(this.serde, item.value.metadata), filter)
      if (isWanted) wanted.push(item)
    }
    return wanted
  }

  /** Checkpoints of one list, with their values and writes. */
  async #tuples(items: readonly StoredItem[]): Promise<CheckpointTuple[]> {
    const [first] = items
    if (first === undefined) return []
    const place = placeOf(this.#tenant, first.value.thread, first.value.namespace)
    const checkpoints = await Promise.all(
      items.map(async ({ value }) => (await unpack(this.serde, value.checkpoint)) as Checkpoint),
    )
    const names = checkpoints.flatMap(({ channel_versions: versions }) =>
      Object.entries(versions).map(([channel, version]) => valueName(channel, version)),
    )
    const [values, writes] = await Promise.all([
      this.#lists.values(place, names),
      this.#lists.writes(
        place,
        items.map(({ value: { since } }, i) => ({ id: checkpoints[i]!.id, since })),
      ),
    ])
    return await Promise.all(
      items.map(async ({ value }, i) => {
        const checkpoint = await this.#whole(place, checkpoints[i]!, value.parent, values)
        return await this.#tuple(value, checkpoint, writes[i]!)
      }),
    )
  }

  /** With the values of its channels; before version 4 of the format sends were writes of the parent. */
  async #whole(
    place: Place,
    checkpoint: Checkpoint,
    parent: string | undefined,
    values: ReadonlyMap<string, Packed>,
  ): Promise<Checkpoint> {
    const given = Object.entries(checkpoint.channel_versions).flatMap(([channel, version]) => {
      const value = values.get(valueName(channel, version))
      return value === undefined ? [] : [{ channel, value }]
    })
    const fields = given.map(async ({ channel, value }) => {
      return [channel, await unpack(this.serde, value)] as const
    })
    const whole = { ...checkpoint, channel_values: Object.fromEntries(await Promise.all(fields)) }
    if (checkpoint.v >= 4 || parent === undefined) return whole
    const [before] = await this.#lists.byId(place.checkpoints, parent)
    const since = before?.value.since ?? STAMP_MIN
    const [writes = []] = await this.#lists.writes(place, [{ id: parent, since }])
    const sends = writes.filter(({ channel }) => channel === TASKS)
    const versions = Object.values(checkpoint.channel_versions)
    whole.channel_values[TASKS] = await Promise.all(
      sends.map(({ value }) => unpack(this.serde, value)),
    )
    whole.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined)
    return whole
  }

  async #tuple(
    { thread, namespace, parent, metadata }: StoredCheckpoint,
    checkpoint: Checkpoint,
    writes: readonly Write[],
  ): Promise<CheckpointTuple> {
    return {
      config: configOf(thread, namespace, checkpoint.id),
      checkpoint,
      metadata: (await unpack(this.serde, metadata)) as CheckpointMetadata,
      ...(parent !== undefined && { parentConfig: configOf(thread, namespace, parent) }),
      pendingWrites: await Promise.all(
        writes.map(async ({ task, channel, value }) => {
          return [task, channel, await unpack(this.serde, value)] as CheckpointPendingWrite
        }),
      ),
    }
  }
}

import {
  BaseStore,
  validateNamespace,
  type GetOperation,
  type Item,
  type ListNamespacesOperation,
  type MatchCondition,
  type Operation,
  type OperationResults,
  type PutOperation,
  type SearchItem,
  type SearchOperation,
} from '@langchain/langgraph-checkpoint'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { invalid } from '../../core/errors.ts'
import { encodeJson } from '../../core/json.ts'
import { GROUP_BYTES_MAX, PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { ms } from '../../core/option-kinds.ts'
import { resolve, type OptionTable } from '../../core/options.ts'
import { showKind } from '../../core/show-value.ts'
import { compareText } from '../../core/text.ts'
import type { Change } from '../../store/changes/change.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { isLike } from './filter.ts'
import { graphPrefix, nameOf } from './thread-keys.ts'

/** All labels of a namespace together, each with the dot behind it. UTF-8 bytes. */
const NAMESPACE_BYTES_MAX = 400
/** Changes of one group: as many as it may have when they expire. */
const GROUP_CHANGES_MAX = 300
const TTL_MS_MAX: number = 100 * 365 * 24 * 3_600_000
/** What a search returns where it is not told how many, as the framework's own store does. */
const SEARCH_LIMIT = 10

/** How a store keeps its items. */
export interface EverthreadStoreOptions {
  /** Items are gone so long after they were put last. Milliseconds, at least 1. Default: they stay. */
  readonly ttlMs?: number
}

const OPTIONS: OptionTable<EverthreadStoreOptions> = { ttlMs: ms(1, TTL_MS_MAX) }

/** An item as it is stored. Times are Unix milliseconds. */
interface StoredItem {
  readonly value: Record<string, unknown>
  readonly createdAt: number
  readonly updatedAt: number
  /** Where the key of the store has a hash in its place. */
  readonly key?: string
}

/**
 * Keeps the long-term memory of LangGraph in both databases and the log of a history, for its tenant:
 * `graph.compile({ store: new EverthreadStore(history) })`. There is no vector index: `query` and `index` have no effect.
 *
 * Every method rejects with a `StorageError` when the places that were asked do not answer, and with `INVALID_ARGUMENT`
 * for values that are not JSON or longer than 4 MiB, and for namespaces of more than 400 bytes.
 */
export class EverthreadStore extends BaseStore {
  readonly #store: StrategicStorageManager
  readonly #prefix: string
  readonly #ttlMs: number | undefined

  /** The history is opened and closed by the caller; `history.forTenant(…)` keeps tenants apart. */
  constructor(history: Pick<ChatHistory, 'store' | 'tenant'>, options?: EverthreadStoreOptions) {
    super()
    this.#store = history.store
    this.#prefix = graphPrefix(history.tenant, 's')
    this.#ttlMs = resolve('', options, OPTIONS).ttlMs
  }

  /**
   * Reads see what stood before the puts of the same batch; of two puts of one item the last one counts. Up to 300
   * puts of 8 MiB in all happen together or not at all.
   */
  override async batch<Op extends Operation[]>(operations: Op): Promise<OperationResults<Op>> {
    const puts = new Map<string, PutOperation>()
    const reads: Promise<unknown>[] = []
    for (const operation of operations) {
      if (!('value' in operation)) reads.push(this.#answer(operation))
      else puts.set(this.#keyOf(operation), operation)
    }
    const answers = await Promise.all(reads)
    await this.#put(puts)
    return operations.map((operation) =>
      'value' in operation ? null : answers.shift(),
    ) as OperationResults<Op>
  }

  async #answer(
    operation: GetOperation | SearchOperation | ListNamespacesOperation,
  ): Promise<unknown> {
    if ('namespacePrefix' in operation) return await this.#search(operation)
    if (!('key' in operation)) return await this.#namespaces(operation)
    const key = this.#keyOf(operation)
    const stored = await this.#store.get<StoredItem>(key)
    return stored === undefined ? null : this.#itemOf(key, stored)
  }

  async #put(puts: ReadonlyMap<string, PutOperation>): Promise<void> {
    const keys = [...puts.keys()]
    const before = await this.#store.mget<StoredItem>(keys)
    const updatedAt = Math.trunc(this.#store.now())
    let group: Change[] = []
    let bytes = 0
    for (const [key, { key: name, value }] of puts) {
      const createdAt = before[key]?.createdAt ?? updatedAt
      const change = this.#changeOf(key, name, value, { createdAt, updatedAt })
      const own = 'value' in change ? encodeJson(change.value).length : 0
      if (group.length === GROUP_CHANGES_MAX || bytes + own > GROUP_BYTES_MAX / 2) {
        await this.#store.write(group)
        group = []
        bytes = 0
      }
      group.push(change)
      bytes += own
    }
    if (group.length > 0) await this.#store.write(group)
  }

  #changeOf(
    key: string,
    name: string,
    value: PutOperation['value'],
    times: Pick<StoredItem, 'createdAt' | 'updatedAt'>,
  ): Change {
    if (value === null) return { kind: 'delete', key }
    const stored: StoredItem = { value, ...times, ...(nameOf(name) !== name && { key: name }) }
    const expiry = this.#ttlMs !== undefined && { expiresAt: times.updatedAt + this.#ttlMs }
    return { kind: 'set', key, value: stored, ...expiry }
  }

  /** Those that were put last come first, as in the framework's store on PostgreSQL. */
  async #search(operation: SearchOperation): Promise<SearchItem[]> {
    const { namespacePrefix, filter = {}, offset = 0, limit = SEARCH_LIMIT } = operation
    const prefix = this.#prefix + pathOf(namespacePrefix)
    const found: { readonly key: string; readonly item: Item }[] = []
    let after: string | undefined
    for (;;) {
      const from = after !== undefined && { after }
      const query = { prefix, limit: PAGE_ITEMS_MAX, ...from }
      const { entries, done } = await this.#store.entries<StoredItem>(query)
      for (const { key, value } of entries) {
        if (isLike(value.value, filter)) found.push({ key, item: this.#itemOf(key, value) })
      }
      after = entries.at(-1)?.key
      if (done || after === undefined) break
    }
    found.sort(
      (a, b) => Number(b.item.updatedAt) - Number(a.item.updatedAt) || compareText(a.key, b.key),
    )
    return found.slice(offset, offset + limit).map(({ item }) => item)
  }

  async #namespaces({
    matchConditions = [],
    maxDepth,
    limit,
    offset,
  }: ListNamespacesOperation): Promise<string[][]> {
    const found = new Map<string, string[]>()
    for (const key of await this.#store.list(this.#prefix)) {
      const { namespace } = this.#partsOf(key)
      if (!matchConditions.every((condition) => matches(namespace, condition))) continue
      const cut = namespace.slice(0, maxDepth)
      found.set(pathOf(cut), cut)
    }
    const sorted = [...found].sort(([a], [b]) => compareText(a, b))
    return sorted.map(([, namespace]) => namespace).slice(offset, offset + limit)
  }

  #keyOf({ namespace, key }: GetOperation): string {
    validateNamespace(namespace, { allowReservedRoot: true })
    if (typeof key !== 'string') throw invalid(`key must be a string, got ${showKind(key)}`)
    return `${this.#prefix}${pathOf(namespace)}:${nameOf(key)}`
  }

  #itemOf(key: string, stored: StoredItem): Item {
    const { namespace, name } = this.#partsOf(key)
    return {
      namespace,
      key: stored.key ?? name,
      value: stored.value,
      createdAt: new Date(stored.createdAt),
      updatedAt: new Date(stored.updatedAt),
    }
  }

  #partsOf(key: string): { readonly namespace: string[]; readonly name: string } {
    const end = key.indexOf(':', this.#prefix.length)
    const path = key.slice(this.#prefix.length, end)
    return { namespace: path.split('.').slice(0, -1), name: key.slice(end + 1) }
  }
}

/** A dot behind each label, which has none in it: what a prefix of labels begins with is below it. */
function pathOf(namespace: readonly string[]): string {
  const path = namespace.map((label) => `${label}.`).join('')
  const bytes = Buffer.byteLength(path)
  if (bytes <= NAMESPACE_BYTES_MAX) return path
  throw invalid(`namespace must be at most ${NAMESPACE_BYTES_MAX} bytes, got ${bytes}`)
}

function matches(namespace: readonly string[], { matchType, path }: MatchCondition): boolean {
  if (path.length > namespace.length) return false
  const start = matchType === 'prefix' ? 0 : namespace.length - path.length
  return path.every((label, i) => label === '*' || label === namespace[start + i])
}

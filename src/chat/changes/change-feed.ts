import { invalid, messageOf } from '../../core/errors.ts'
import { itemOf } from '../../core/merge.ts'
import type { AppendOperation, Operation } from '../../core/operation.ts'
import type { Resolved } from '../../core/options.ts'
import type { Stamp } from '../../core/stamp.ts'
import { sleep } from '../../core/time.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { conversationKey, tenantPrefix } from '../keys.ts'
import type { Changes, FeedState } from './change.ts'
import { ChangeBuffer } from './change-buffer.ts'
import { parseConversationCursor, parseTenantCursor } from './change-cursor.ts'
import { ChangeStream } from './change-stream.ts'
import { ConversationPoller } from './conversation-poller.ts'
import { ConversationSource, type Since, type SourceParts } from './conversation-source.ts'
import { earlier, latestSince } from './latest-keys.ts'
import { ScanQueue } from './scan-queue.ts'
import type { SUBSCRIBE } from './subscribe-options.ts'
import { TenantSource } from './tenant-source.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** Between two looks at the list of conversations; doubles while nothing changes. Milliseconds. */
const LIST_MS = 100
const LIST_MS_MAX = 500
/** A look goes back so far behind the latest message that it has seen. Milliseconds. */
const LIST_OVERLAP_MS = 3_000

/** The changes of one tenant's conversations, for all who follow them in this process. */
export class ChangeFeed<Extras extends object | ProviderName = {}> {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #scans: ScanQueue
  readonly #pollers = new Map<string, ConversationPoller>()
  readonly #tenants = new Set<TenantSource>()
  readonly #open = new Set<Changes<Extras>>()
  readonly #listeners: (() => void)[] = []
  #isListing = false
  #isClosed = false

  constructor(store: StrategicStorageManager, tenant: string) {
    this.#store = store
    this.#tenant = tenant
    this.#scans = new ScanQueue(store.env)
  }

  subscribe(options: Resolved<typeof SUBSCRIBE>): Changes<Extras> {
    const { conversationId, since, signal, pollInterval, bufferMax } = options
    const isWhole = conversationId === undefined
    if (isWhole && since === 'beginning') {
      throw invalid('since must be a cursor where no conversationId is given, got "beginning"')
    }
    const key = isWhole ? '' : conversationKey(this.#tenant, conversationId)
    const begin = isWhole ? this.#tenantSince(since) : conversationSince(key, since)
    this.#listen()
    const buffer = new ChangeBuffer(bufferMax)
    const stop = new AbortController()
    const changes = new ChangeStream<Extras>(this.#store, buffer, () => {
      signal?.removeEventListener('abort', onAbort)
      this.#open.delete(changes)
      stop.abort()
    })
    const onAbort = (): void => changes.close()
    this.#open.add(changes)
    const parts: SourceParts = {
      store: this.#store,
      buffer,
      pollMs: pollInterval,
      onState: (state) => this.#tell(options.onState, state),
      pollerOf: (of) => this.#pollerOf(of),
      signal: stop.signal,
    }
    const running = isWhole
      ? this.#followTenant(parts, begin as Stamp | undefined)
      : new ConversationSource(parts, key).run(begin as Since)
    running.then(
      () => buffer.end(),
      (error: unknown) => buffer.end(error),
    )
    if (this.#isClosed || signal?.aborted === true) changes.close()
    else signal?.addEventListener('abort', onAbort)
    return changes
  }

  /** Ends all of them. */
  close(): void {
    this.#isClosed = true
    for (const changes of this.#open) changes.close()
    for (const remove of this.#listeners.splice(0)) remove()
  }

  async #followTenant(parts: SourceParts, since: Stamp | undefined): Promise<void> {
    const source = new TenantSource(parts, tenantPrefix(this.#tenant), this.#scans)
    this.#tenants.add(source)
    try {
      await source.run(since)
    } finally {
      this.#tenants.delete(source)
    }
  }

  #tenantSince(since: string | undefined): Stamp | undefined {
    return since === undefined ? undefined : parseTenantCursor(tenantPrefix(this.#tenant), since)
  }

  #pollerOf(key: string): ConversationPoller {
    const known = this.#pollers.get(key)
    if (known !== undefined) return known
    const poller = new ConversationPoller(this.#store, key, this.#scans, () => {
      if (this.#pollers.get(key) === poller) this.#pollers.delete(key)
    })
    this.#pollers.set(key, poller)
    if (!this.#isListing) void this.#list()
    return poller
  }

  #listen(): void {
    if (this.#listeners.length > 0 || this.#isClosed) return
    const scanAll = (): void => {
      for (const poller of this.#pollers.values()) poller.scanSoon()
    }
    this.#listeners.push(
      this.#store.onWrite((operations) => this.#wrote(operations)),
      // What was away, or lacked something, may have more by now.
      this.#store.on('health', ({ healthy }) => healthy && scanAll()),
      this.#store.on('replica-changed', scanAll),
      this.#store.on('reconciled', ({ copied }) => copied > 0 && scanAll()),
    )
  }

  #wrote(operations: readonly Operation[]): void {
    const prefix = tenantPrefix(this.#tenant)
    const keys = new Set(operations.map(({ key }) => key))
    for (const key of keys) {
      if (!key.startsWith(prefix)) continue
      const group = operations.filter((each) => each.key === key)
      // A fork begins with a clear: both are told in their order by the next look.
      const own = group.some(({ kind }) => kind === 'delete') ? [] : group
      const items = own.flatMap((each) => (isAppend(each) ? [itemOf(each)] : []))
      this.#pollers.get(key)?.wrote(items, items.length < group.length)
      for (const tenant of this.#tenants) tenant.wrote(key)
    }
  }

  /** Wakes the pollers of conversations that have a later message than before. */
  async #list(): Promise<void> {
    this.#isListing = true
    const { env } = this.#store
    let known = new Map<string, Stamp>()
    let floor: Stamp | undefined
    let pauseMs = LIST_MS
    while (this.#pollers.size > 0 && !this.#isClosed) {
      pauseMs = Math.min(LIST_MS_MAX, pauseMs * 2)
      try {
        const keys = await latestSince(this.#store, tenantPrefix(this.#tenant), floor)
        for (const { key, latest } of keys) {
          if (known.get(key) === latest) continue
          pauseMs = LIST_MS
          this.#pollers.get(key)?.wake()
        }
        known = new Map(keys.map(({ key, latest }) => [key, latest]))
        if (keys[0] !== undefined) floor = earlier(keys[0].latest, LIST_OVERLAP_MS)
      } catch {
        // The pollers tell that no place answers.
      }
      await sleep(env, pauseMs)
    }
    this.#isListing = false
  }

  #tell(onState: ((state: FeedState) => void) | undefined, state: FeedState): void {
    try {
      onState?.(state)
    } catch (error) {
      this.#store.env.logger.error({ error: messageOf(error) }, 'onState threw')
    }
  }
}

function isAppend(operation: Operation): operation is AppendOperation {
  return operation.kind === 'put' && operation.change === 'append'
}

function conversationSince(key: string, since: string | undefined): Since {
  if (since === undefined) return 'now'
  return since === 'beginning' ? since : parseConversationCursor(key, since)
}

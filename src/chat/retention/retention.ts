/*
 * Removes what a tenant does not want to keep. A cut is a tombstone at the position of the last message
 * that goes, so it is one small operation however many messages there are; it is merged and never
 * judged, since it leaves newer messages standing. Like every operation it reaches both databases
 * sooner or later, may be repeated, and what it removed never comes back.
 */
import { hash } from 'node:crypto'
import { BackgroundLoop } from '../../core/background-loop.ts'
import type { Env } from '../../core/env.ts'
import { messageOf } from '../../core/errors.ts'
import { itemValue } from '../../core/merge.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { stampFloor, type Stamp } from '../../core/stamp.ts'
import { KeepAlive } from '../../core/keep-alive.ts'
import { sleep } from '../../core/time.ts'
import { decodeJson, type JsonText } from '../../core/json.ts'
import { isMessageText } from '../codec.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { Branches } from '../branches/branches.ts'
import { Forks } from '../branches/forks.ts'
import { parseConversationKey, tenantPrefix } from '../keys.ts'
import { removeOrphans } from '../streams/repair-streams.ts'
import { Streams } from '../streams/streams.ts'
import { NO_TOOL_USE, toolUseOf, type ToolUse } from '../turns/tool-use.ts'
import { planCut, type RetainedItem } from './plan-cut.ts'
import type { ResolvedRetention, RetentionLimits } from './retention-options.ts'

/** Messages of one conversation that one pass looks at. */
const RETENTION_MESSAGES_MAX = 10_000
/** Conversations that are looked at one after another before others get a turn. */
const CONVERSATIONS_AT_ONCE = 20
/** The turn that others get: a pass looks at no more than some 200 conversations a second. */
const PAUSE_MS = 100
/** Messages of one page. Their contents are read, so it is not the largest. */
const PAGE_MESSAGES = 200
/** How long the note of the last pass is one process's to change. */
const LEASE_MS = 10_000
/** Of an interval: clocks differ, and who waited for one must not wait for another. */
const DUE_AFTER = 0.9

/** What one pass did. */
export interface RetentionReport {
  readonly conversations: number
  /** Messages that went. */
  readonly removed: number
  readonly durationMs: number
  /** Conversations that had more to remove than a pass takes, or that could not be read. */
  readonly unfinished: number
}

/** What a retention works with. */
export interface RetentionParts {
  readonly env: Env
  readonly store: StrategicStorageManager
  readonly tenant: string
  readonly options: ResolvedRetention
}

/** One loop for one tenant. */
export class Retention {
  readonly #parts: RetentionParts
  readonly #background = new BackgroundLoop()

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  start(): void {
    this.#background.start((signal) => this.#loop(signal))
  }

  async stop(): Promise<void> {
    await KeepAlive.of(this.#parts.env).during(() => this.#background.stop())
  }

  /** One pass over all conversations of the tenant. */
  async apply(): Promise<RetentionReport> {
    const { signal } = this.#background
    return await KeepAlive.of(this.#parts.env).during(() => this.#pass(signal))
  }

  async #pass(signal: AbortSignal): Promise<RetentionReport> {
    const { env, store, tenant, options } = this.#parts
    // What every conversation would be refused for.
    if (options.usesAge) await store.checkClocks('retention by age')
    const startedAt = env.monotonic()
    const report = { conversations: 0, removed: 0, unfinished: 0 }
    let after: string | undefined
    while (!signal.aborted) {
      const query = { prefix: tenantPrefix(tenant), limit: CONVERSATIONS_AT_ONCE }
      const page = await store.listKeys({ ...query, ...(after !== undefined && { after }) })
      for (const key of page.keys) {
        if (signal.aborted) break
        report.conversations++
        const id = parseConversationKey(key)!.conversationId
        const { removed, finished } = await this.#applyTo(id)
        report.removed += removed
        if (!finished) report.unfinished++
      }
      after = page.keys.at(-1)
      if (page.done || after === undefined) break
      await sleep(env, PAUSE_MS, signal)
    }
    if (!signal.aborted) await this.#repairStreams()
    return { ...report, durationMs: env.monotonic() - startedAt }
  }

  /** What writers left behind long ago is closed, and what a cut left of it goes. */
  async #repairStreams(): Promise<void> {
    const { env, store, tenant } = this.#parts
    try {
      await new Streams(store, tenant, undefined).repair()
    } catch (error) {
      env.logger.warn({ error: messageOf(error) }, 'streams could not be repaired')
    }
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { env, options } = this.#parts
    while (!signal.aborted) {
      try {
        if (await this.#isOurTurn()) {
          const report = await this.#pass(signal)
          if (report.removed > 0) env.logger.info({ ...report }, 'retention removed messages')
        }
      } catch (error) {
        env.logger.warn(
          { error: messageOf(error) },
          'retention could not run, and will be tried again',
        )
      }
      await sleep(env, options.intervalMs, signal)
    }
  }

  /**
   * False while another process is at it, or was less than an interval ago. Where the backup, which
   * keeps the lease, does not answer, two may do the same work: that is waste and no harm.
   */
  async #isOurTurn(): Promise<boolean> {
    const { store, tenant, options } = this.#parts
    const { primary, backup } = store.getStorageManagers()
    const { database } = (store.hasBackup() ? backup : primary).getHandles()
    if (database.lease === undefined) return true
    const request = { name: leaseName(tenant), holder: store.writer }
    try {
      const lease = await database.lease({ ...request, ttlMs: LEASE_MS })
      if (lease === undefined) return false
      const now = store.now()
      // A note of the future is that of a clock that was wrong.
      const isDue = Math.abs(now - Number(lease.note ?? 0)) >= options.intervalMs * DUE_AFTER
      const note = isDue ? String(now) : lease.note
      await database.lease({ ...request, token: lease.token, ttlMs: 0, ...(note && { note }) })
      return isDue
    } catch {
      return true
    }
  }

  async #applyTo(conversationId: string): Promise<{ removed: number; finished: boolean }> {
    const { env, options } = this.#parts
    try {
      const removed = await this.cut(conversationId, options.limitsOf(conversationId))
      return { removed, finished: removed < RETENTION_MESSAGES_MAX }
    } catch (error) {
      // One that cannot be read must not keep the others from their turn.
      env.logger.warn(
        { error: messageOf(error), conversationId },
        'retention passed a conversation by',
      )
      return { removed: 0, finished: false }
    }
  }

  /** Removes what one conversation has beyond its limits; returns how many messages. */
  async cut(conversationId: string, { maxAge, maxMessages }: RetentionLimits): Promise<number> {
    const { store, tenant } = this.#parts
    const branches = new Branches(store, tenant)
    const { view } = branches.forks
    let cutoff: Stamp | undefined
    if (maxAge !== undefined) {
      await store.checkClocks('retention by age', 'known')
      cutoff = stampFloor(store.earliestNow() - maxAge)
    }
    let excess = 0
    if (maxMessages !== undefined) {
      const count = await view.count(conversationId, (key) =>
        store.countItems(key, { mayExpire: false }),
      )
      excess = Math.max(0, count - maxMessages)
    }
    if (excess === 0 && cutoff === undefined) return 0
    const request = { cutoff, excess, messagesMax: RETENTION_MESSAGES_MAX }
    const cut = await planCut(this.#oldestFirst(conversationId), request)
    if (cut === undefined) return 0
    await branches.deleteThrough(conversationId, cut.through)
    await removeOrphans(store, tenant, conversationId)
    return cut.count
  }

  async *#oldestFirst(conversationId: string): AsyncGenerator<RetainedItem> {
    const { store, tenant } = this.#parts
    const { view } = new Forks(store, tenant)
    let after: Stamp | undefined
    for (;;) {
      const limit = Math.min(PAGE_MESSAGES, PAGE_ITEMS_MAX)
      const query = { limit, order: 'oldest', ...(after !== undefined && { after }) } as const
      const page = await view.page(conversationId, query)
      for (const { item } of page.items) {
        yield { item, use: useOf(itemValue(item)!) }
      }
      after = page.next
      if (after === undefined) return
    }
  }
}

/** A damaged message says nothing: it goes when its time comes. */
function useOf(text: JsonText): ToolUse {
  return isMessageText(text) ? toolUseOf(decodeJson<object>(text)) : NO_TOOL_USE
}

/** Names of tenants may be longer than those of leases. */
function leaseName(tenant: string): string {
  return `retention/${hash('sha256', tenant, 'hex').slice(0, 32)}`
}

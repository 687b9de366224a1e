import { createHash, randomUUID } from 'node:crypto'
import type {
  AgentInputItem,
  SessionHistoryRewriteArgs,
  SessionHistoryRewriteAwareSession,
  SessionHistoryTransaction,
  SessionHistoryTransactionArgs,
  SessionHistoryTransactionAwareSession,
} from '@openai/agents-core'
import type { Exchange, StandingMessage } from '../chat/branches/exchange.ts'
import type { ChatHistory } from '../chat/chat-history.ts'
import { conversationKey } from '../chat/keys.ts'
import { itemsOf } from '../chat/message-items.ts'
import type { Condition } from '../core/conditions.ts'
import { invalid, isStorageError, StorageError } from '../core/errors.ts'
import { canonicalJson, decodeJson, encodeJson } from '../core/json.ts'
import {
  checkArray,
  checkObject,
  GROUP_OPERATIONS_MAX,
  MIB,
  PAGE_ITEMS_MAX,
} from '../core/limits.ts'
import { byDefault, oneOf, text } from '../core/option-kinds.ts'
import { resolve, type OptionTable } from '../core/options.ts'
import { backoffMs, sleep } from '../core/time.ts'
import type { Decider } from '../strategy/write/write-port.ts'
import { itemOf, storedItem } from './agent-items.ts'

/** Of which session, and who decides. */
export interface EverthreadSessionOptions {
  /** The id of the conversation that it is, at most 512 bytes. Default: a new one. */
  readonly sessionId?: string
  /**
   * Who decides `popItem`, transactions and mutations: see `store.write`. `primary`: no item is popped twice and no
   * transaction applied twice even while places cannot see each other; while the primary is out these are
   * `UNAVAILABLE`. Default: `anywhere`.
   */
  readonly decide?: Decider
}

const OPTIONS: OptionTable<EverthreadSessionOptions, 'decide'> = {
  sessionId: text(512),
  decide: byDefault<Decider>('anywhere', oneOf('anywhere', 'primary')),
}

/** The latest transactions of a session that are recognised when they are repeated. */
const OPERATIONS_MAX = 256
/** Times that a change is planned anew because others were faster. */
const TRIES_MAX = 64
const PAUSE = { firstMs: 2, maxMs: 100 }
/** Most bytes of items that are added in one group. */
const ADDED_BYTES_MAX: number = 8 * MIB

/** What is to be written, and what the call answers then. */
interface Plan<Answer> {
  readonly answer: Answer
  /** Absent: there is nothing to write. */
  readonly exchange?: Exchange
}

/**
 * A session of the OpenAI Agents SDK that is a conversation of a `ChatHistory`. Items come back as they were added, with
 * their own ids, as copies. Every method rejects with a `StorageError`: in an outage with its `effect`, and
 * `CONFLICT` where a transaction does not fit any more.
 */
export class EverthreadSession
  implements SessionHistoryRewriteAwareSession, SessionHistoryTransactionAwareSession
{
  readonly #history: ChatHistory
  readonly #id: string
  readonly #decide: Decider
  readonly #key: string

  /** The history is opened and closed by the caller. Sessions of one id are one session, in every process. */
  constructor(history: ChatHistory, options?: EverthreadSessionOptions) {
    checkObject('history', history)
    const { sessionId = randomUUID(), decide } = resolve('', options, OPTIONS)
    this.#history = history
    this.#id = sessionId
    this.#decide = decide
    this.#key = conversationKey(history.tenant, sessionId)
  }

  async getSessionId(): Promise<string> {
    return this.#id
  }

  /** The latest items, or all, oldest first. */
  async getItems(limit: number = Infinity): Promise<AgentInputItem[]> {
    const items: AgentInputItem[] = []
    let before: string | undefined
    while (items.length < limit) {
      const most = Math.min(limit - items.length, PAGE_ITEMS_MAX)
      const query = { limit: most, order: 'newest', ...(before && { before }) } as const
      const { messages, nextCursor } = await this.#history.getHistory(this.#id, query)
      items.push(...messages.map(itemOf))
      if (nextCursor === undefined) break
      before = nextCursor
    }
    return items.reverse()
  }

  /**
   * Adds items at the end, all or nothing at each place; of more than 1,000, or 8 MiB, that many at a time. After an
   * error with effect `unknown` they may have been added: `applyHistoryTransaction` can be repeated.
   */
  async addItems(items: AgentInputItem[]): Promise<void> {
    checkArray('items', items)
    const stored = items.map((item, i) => storedItem(`items[${i}]`, item))
    const groups = groupsOf(stored)
    // Nothing of them is saved if one of them cannot be.
    if (groups.length > 1) itemsOf(stored, 'item')
    for (const group of groups) await this.#history.saveItems(this.#id, group)
  }

  /** Removes the latest item and returns it. Two callers never get the same one, in two processes neither. */
  async popItem(): Promise<AgentInputItem | undefined> {
    return await this.#write(async () => {
      const [latest] = await this.#history.standing(this.#id, 1)
      if (latest === undefined) return { answer: undefined }
      const answer = itemOf(latest.message)
      if (latest.isOwn) return { answer, exchange: { removed: [latest], if: this.#ends([latest]) } }
      // A fork leaves what it shares to the other conversation: it is only gone here.
      await this.#history.deleteMessage(this.#id, latest.item.id)
      return { answer }
    })
  }

  /** Removes all items, and what is remembered of transactions. */
  async clearSession(): Promise<void> {
    await this.#history.clearHistory(this.#id)
  }

  /** Puts items in the place of all others, at once: a compaction that is cut off leaves what was there. At most 900. */
  async replaceHistoryWithCompaction(items: AgentInputItem[]): Promise<void> {
    checkArray('items', items)
    const stored = items.map((item, i) => storedItem(`items[${i}]`, item))
    await this.#history.replaceAll(this.#id, stored, await this.#history.store.get(this.#key))
  }

  /** Replaces function calls where they stand, all at once; of several of one call only the first one stays. */
  async applyHistoryMutations(args: SessionHistoryRewriteArgs): Promise<void> {
    checkObject('args', args)
    checkArray('mutations', args.mutations)
    const calls = args.mutations.map((mutation, i) => {
      checkObject(`mutations[${i}]`, mutation)
      const { callId, replacement } = mutation
      return { callId, by: storedItem(`mutations[${i}].replacement`, replacement) }
    })
    if (calls.length === 0) return
    await this.#write(async () => {
      const standing = (await this.#history.standing(this.#id, Infinity)).toReversed()
      return { answer: undefined, ...rewritten(standing, calls) }
    })
  }

  /**
   * Appends items, or replaces the latest ones, once for each `operationId`: the record of it and the change are one
   * group, so that a process that dies leaves both or neither. Repeated with the same content it does nothing, as long as
   * fewer than 256 others came between; the fields' order does not matter.
   *
   * @throws StorageError `CONFLICT`, and nothing has changed, when the id was used for another transaction or the
   * session does not end as `expectedSuffix` says; `UNSUPPORTED` where that is shared with another conversation.
   */
  async applyHistoryTransaction(
    args: SessionHistoryTransactionArgs,
    _runContext?: unknown,
  ): Promise<void> {
    const { operationId, ...transaction } = checkedTransaction(args)
    const operation = digestOf(operationId)
    const content = digestOf(transaction)
    await this.#write(async () => {
      const entry = await this.#history.store.getEntry<string[]>(this.#key)
      const known = entry?.value ?? []
      const again = known.find((each) => each.startsWith(operation))
      if (again === operation + content) return { answer: undefined }
      if (again !== undefined) {
        throw new StorageError('CONFLICT', 'this operationId was used for another transaction')
      }
      const { if: conditions = [], ...change } = await this.#changeOf(transaction)
      const key = this.#key
      const value = [...known, operation + content].slice(-OPERATIONS_MAX)
      const stands: Condition = entry ? { key, stamp: entry.stamp } : { key, absent: true }
      const beside = [{ kind: 'set', key, value } as const]
      return { answer: undefined, exchange: { ...change, beside, if: [stands, ...conditions] } }
    })
  }

  /** @throws StorageError `CONFLICT` when the suffix is another one. */
  async #changeOf({ expected, items }: Omit<Checked, 'operationId'>): Promise<Exchange> {
    const stored = items.map((item, i) => storedItem(`items[${i}]`, item))
    if (expected === undefined || expected.length === 0) return { saved: stored }
    const found = (await this.#history.standing(this.#id, expected.length)).toReversed()
    const isSame = (item: AgentInputItem, i: number): boolean =>
      canonicalJson(itemOf(found[i]!.message)) === canonicalJson(item)
    if (found.length < expected.length || !expected.every(isSame)) {
      throw new StorageError('CONFLICT', 'the session does not end as expectedSuffix says')
    }
    // What is the same at the beginning of both stays where it is.
    const kept = found.findIndex((_, i) => items[i] === undefined || !isSame(items[i], i))
    const from = kept === -1 ? found.length : kept
    return { removed: found.slice(from), saved: stored.slice(from), if: this.#ends(found) }
  }

  /** What holds while the last of these is the latest of the session. */
  #ends(messages: readonly StandingMessage[]): readonly Condition[] {
    const { item, isOwn } = messages.at(-1)!
    return isOwn ? [{ key: this.#key, last: item.position }] : []
  }

  /** Plans and writes until nobody else has written in between. */
  async #write<Answer>(plan: () => Promise<Plan<Answer>>): Promise<Answer> {
    const { env } = this.#history.store
    for (let tries = 0; ; tries++) {
      const { answer, exchange } = await plan()
      if (exchange === undefined) return answer
      try {
        await this.#history.exchange(this.#id, { ...exchange, decide: this.#decide })
        return answer
      } catch (error) {
        const isOutrun = isStorageError(error, 'CONFLICT') && error.effect === 'none'
        if (!isOutrun) throw error
        if (tries >= TRIES_MAX) {
          const why = 'other writers changed the session over and over'
          throw new StorageError('OVERLOADED', why, { operation: 'write', cause: error })
        }
      }
      await sleep(env, backoffMs(env, tries, PAUSE))
    }
  }
}

/** A function call by its id, and what is stored in its place. */
interface Rewrite {
  readonly callId: string
  readonly by: object
}

/** What the mutations, one after the other, make of a history. */
function rewritten(
  standing: readonly StandingMessage[],
  rewrites: readonly Rewrite[],
): { readonly exchange?: Exchange } {
  interface Now {
    readonly message: StandingMessage
    readonly item: AgentInputItem
    readonly by?: object
  }
  let now = standing.map((message): Now => ({ message, item: itemOf(message.message) }))
  for (const { callId, by } of rewrites) {
    let isFirst = true
    now = now.flatMap((each) => {
      const { item, message } = each
      if (item.type !== 'function_call' || item.callId !== callId) return [each]
      if (!isFirst) return []
      isFirst = false
      return [{ message, by, item: itemOf(by) }]
    })
  }
  const left = new Set(now.map(({ message }) => message))
  const removed = standing.filter((message) => !left.has(message))
  const replaced = now.flatMap(({ message, by }) => (by === undefined ? [] : [{ message, by }]))
  return removed.length + replaced.length === 0 ? {} : { exchange: { removed, replaced } }
}

/** In order, as many as go into one group. */
function groupsOf<Each extends object>(items: readonly Each[]): Each[][] {
  const groups: Each[][] = []
  let bytes = Infinity
  for (const item of items) {
    const own = Buffer.byteLength(JSON.stringify(item))
    const group = groups.at(-1)
    if (
      group !== undefined &&
      group.length < GROUP_OPERATIONS_MAX &&
      bytes + own <= ADDED_BYTES_MAX
    ) {
      group.push(item)
      bytes += own
    } else {
      groups.push([item])
      bytes = own
    }
  }
  return groups
}

/** A transaction as copies that nobody changes: what is to be there, and what for. */
interface Checked {
  readonly operationId: string
  /** Undefined: the items are appended. */
  readonly expected: readonly AgentInputItem[] | undefined
  readonly items: readonly AgentInputItem[]
}

/** @throws StorageError `INVALID_ARGUMENT` that names the field. */
function checkedTransaction(args: SessionHistoryTransactionArgs): Checked {
  checkObject('args', args)
  const { operationId, transaction } = args
  if (typeof operationId !== 'string' || operationId.trim() === '') {
    throw invalid('operationId must be a text that is not empty')
  }
  const given = (transaction ?? {}) as Partial<SessionHistoryTransaction>
  const copy = (name: string, items: unknown): AgentInputItem[] => {
    checkArray(`transaction.${name}`, items)
    return items.map((item, i) => {
      const path = `transaction.${name}[${i}]`
      storedItem(path, item)
      return decodeJson<AgentInputItem>(encodeJson(item, path))
    })
  }
  const names = Object.keys(given).sort().join(', ')
  if (given.type === 'append_items' && names === 'items, type') {
    return { operationId, expected: undefined, items: copy('items', given.items) }
  }
  if (given.type === 'replace_suffix' && names === 'expectedSuffix, replacement, type') {
    const expected = copy('expectedSuffix', given.expectedSuffix)
    return { operationId, expected, items: copy('replacement', given.replacement) }
  }
  const forms = 'append_items with items, or replace_suffix with expectedSuffix and replacement'
  throw invalid(`transaction must be ${forms}, got ${given.type} with ${names}`)
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('base64url').slice(0, 22)
}

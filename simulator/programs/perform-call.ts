import type { ChatHistory } from '../../src/chat/chat-history.ts'
import { conversationKey } from '../../src/chat/keys.ts'
import { RecordReader } from '../../src/chat/records/record-reader.ts'
import type { ConversationItem, Receipt } from '../../src/chat/message.ts'
import { isStorageError, type StorageError, type StorageErrorCode } from '../../src/core/errors.ts'
import { itemValue, type Item } from '../../src/core/merge.ts'
import { given } from '../../src/core/options.ts'
import type { PlaceName } from '../../src/core/places.ts'
import type {
  DownloadRecord,
  MirroredConversation,
  ShownMessage,
} from '../../src/testing/history-checker/history.ts'
import { swappedKey } from '../swapped.ts'
import { followWith, settledMirror } from './mirror.ts'
import { PROGRAM_CONVERSATIONS, valueKey, type CallStep, type ProgramMessage } from './program.ts'
import { readBefore, readBranch, truncateFrom, type ReadBefore } from './perform-branch.ts'
import { downloadFrom, saveReference, uploadTo } from './perform-content.ts'
import { readPages, searchPages } from './read-pages.ts'
import { performStream, viewStream, type StreamResult } from './perform-stream.ts'

/** Of all records. */
const OWNER = 'o'
/** More than a program saves. */
const EVERYTHING = 1_000

/** What an acknowledgement or an answer says. */
export interface CallResult {
  readonly receipts?: readonly Pick<Receipt, 'id' | 'position' | 'copies'>[]
  readonly copies?: readonly PlaceName[]
  readonly complete?: boolean
  readonly messages?: readonly ShownMessage[]
  readonly pages?: number
  readonly count?: number
  readonly conversations?: readonly string[]
  readonly record?: { readonly title?: unknown; readonly x?: unknown }
  readonly isListed?: boolean
  /** The swapped value that was read. */
  readonly swapped?: string
  /** By conversation; absent: there is none. */
  readonly values?: Readonly<Record<string, string>>
  readonly stream?: StreamResult
  readonly view?: { readonly content?: string; readonly status?: string }
  readonly mirror?: MirroredConversation
  /** What was read before a fork or a cut. */
  readonly before?: ReadBefore
  /** A cut saw all that there was. */
  readonly isCertain?: boolean
  /** Of content that was saved, and when. */
  readonly ref?: string
  readonly uploadedMs?: number
  readonly found?: DownloadRecord['found']
}

/** One call as its process saw it. */
export interface PerformedCall {
  /** Of the monotonic clock that all processes share. Milliseconds. */
  readonly startMs: number
  /** Absent when the process ended before. */
  readonly settledMs?: number
  readonly outcome: 'ok' | 'none' | 'unknown'
  readonly code?: StorageErrorCode
  readonly result?: CallResult
  /** The process had not opened its log yet. */
  readonly withoutLog?: boolean
  /** A database could not be reached when the store was opened. */
  readonly apart?: boolean
  /** An error that is not a `StorageError`. */
  readonly surprise?: string
}

/** Makes a call; `step.target` is an id. Never rejects. */
export async function performCall(
  history: ChatHistory,
  step: CallStep,
  now: () => number,
): Promise<PerformedCall> {
  const withoutLog = history.status().wal.state === 'closed'
  const base = { startMs: now(), ...(withoutLog && { withoutLog }) }
  let read: CallResult = {}
  try {
    if (step.act === 'stream') return { ...base, ...(await performStream(history, step, now)) }
    const result = await answerOf(history, step, (known) => (read = known), now)
    return { ...base, settledMs: now(), outcome: 'ok', result }
  } catch (error) {
    const settledMs = now()
    if (isStorageError(error) && !isMissing(error, step)) {
      return { ...base, settledMs, outcome: error.effect, code: error.code, result: read }
    }
    return { ...base, settledMs, outcome: 'unknown', surprise: `${step.act}: ${String(error)}` }
  }
}

/** No program asks for what its databases cannot do, but for a search in Redis. */
function isMissing({ code, message }: StorageError, { act }: CallStep): boolean {
  if (code !== 'UNSUPPORTED') return false
  return act !== 'search' || !message.includes('redis has no index of texts')
}

/** `tell` is told what was read before something is written by it. */
async function answerOf(
  history: ChatHistory,
  step: CallStep,
  tell: (read: CallResult) => void,
  now: () => number,
): Promise<CallResult> {
  const { conversation } = step
  const key = conversationKey('', conversation)
  switch (step.act) {
    case 'save': {
      const receipts = await history.saveItems(conversation, step.messages.map(roleOrType))
      return { receipts, copies: receipts[0]!.copies }
    }
    case 'edit': {
      const message = { role: 'user' as const, content: step.content }
      const receipt = await history.updateMessage(conversation, step.target, message)
      return { receipts: [receipt], copies: receipt.copies }
    }
    case 'remove': {
      const receipt = await history.deleteMessage(conversation, step.target)
      return { receipts: [receipt], copies: receipt.copies }
    }
    case 'swapped':
      return swappedOf(await history.store.getEntry<string>(swappedKey(conversation)))
    case 'swap': {
      const own = swappedKey(conversation)
      const entry = await history.store.getEntry<string>(own)
      tell(swappedOf(entry))
      const change = { kind: 'set', key: own, value: step.content } as const
      const condition =
        entry === undefined ? { key: own, absent: true as const } : { key: own, stamp: entry.stamp }
      const options = { if: [condition], decide: 'primary' } as const
      const { copies } = await history.store.write([change], options)
      return { copies, ...swappedOf(entry) }
    }
    case 'clear':
      return { copies: (await history.clearHistory(conversation)).copies }
    case 'read': {
      const query = { key, limit: EVERYTHING, order: 'newest' } as const
      const { items, complete } = await history.store.readItems(query)
      return { messages: items.map(shownOf).reverse(), complete }
    }
    case 'pages':
      return await readPages(history, step)
    case 'search':
      return await searchPages(history, step)
    case 'find': {
      const { items, complete } = await history.store.readItemsById(key, [step.target])
      const visible = items.filter((item) => itemValue(item) !== undefined)
      return { messages: visible.map(shownOf), complete }
    }
    case 'count':
      return await history.store.countItems(key)
    case 'create': {
      const { title } = step
      return await history.createConversation(conversation, { title, owner: OWNER })
    }
    case 'update': {
      const { title, x } = step
      const patch = x === undefined ? { title: title! } : { metadata: { x } }
      return await history.updateConversation(conversation, patch)
    }
    case 'delete':
      return { copies: (await history.deleteConversation(conversation)).copies }
    case 'record':
      return await readRecord(history, conversation)
    case 'keep': {
      const { lifeMs } = step
      const options = lifeMs === undefined ? {} : { expiresAt: history.store.now() + lifeMs }
      const { copies } = await history.store.set(valueKey(conversation), step.content, options)
      return { copies }
    }
    case 'look':
      return await lookAt(history, step.how)
    case 'sweep':
      await history.store.removeExpired()
      return {}
    case 'fork':
    case 'truncate': {
      const before = await readBefore(history, conversation, step.target, now)
      tell({ before })
      if (step.act === 'truncate') {
        return { before, ...(await truncateFrom(history, conversation, step.target)) }
      }
      const { copies } = await history.fork(conversation, { from: step.target, as: step.as })
      return { before, copies }
    }
    case 'branch':
      return await readBranch(history, step.fork)
    case 'alternative': {
      const message = { role: 'assistant', content: step.content } as const
      const receipt = await history.addAlternative(conversation, step.target, message)
      return { receipts: [receipt], copies: receipt.copies }
    }
    case 'upload': {
      const uploaded = { ...(await uploadTo(history, step.name)), uploadedMs: now() }
      tell(uploaded)
      const { ref } = uploaded
      const receipt = await saveReference(history, conversation, step.content, ref)
      return { ...uploaded, receipts: [receipt] }
    }
    case 'download': {
      const found = await downloadFrom(history, step.name, step.ref!)
      return { found, complete: true }
    }
    case 'clean':
      await history.cleanContent({ graceMs: 0 })
      return {}
    case 'stream':
      throw new Error('performed elsewhere')
    case 'view':
      return await viewStream(history, step.id)
    case 'follow':
      followWith(history, conversation)
      return {}
    case 'mirror': {
      const mirror = await settledMirror(history, conversation)
      return { ...(mirror !== undefined && { mirror }) }
    }
    case 'list': {
      const { conversations, complete } = await history.listConversations()
      return { conversations: conversations.map(({ conversationId }) => conversationId), complete }
    }
  }
}

/** The record, and whether the list of its owner has it. */
async function readRecord(history: ChatHistory, conversation: string): Promise<CallResult> {
  const { record, ...read } = await new RecordReader(history.store, '').record(conversation)
  const page = await history.listConversations({ owner: OWNER })
  const isListed = page.conversations.some((each) => each.conversationId === conversation)
  const complete = page.complete && read.complete
  if (record === undefined) return { isListed, complete }
  return { record: { title: record.title, x: record.metadata['x'] }, isListed, complete }
}

function swappedOf(entry: { readonly value: string } | undefined): CallResult {
  return entry === undefined ? {} : { swapped: entry.value }
}

async function lookAt({ store }: ChatHistory, how: 'mget' | 'entries'): Promise<CallResult> {
  if (how === 'mget') {
    const found = await store.mget<string>(PROGRAM_CONVERSATIONS.map(valueKey))
    const entries = PROGRAM_CONVERSATIONS.map((name) => [name, found[valueKey(name)]] as const)
    // A plain value does not say whether it is complete: other processes are not judged.
    const standing = given(Object.fromEntries(entries)) as Record<string, string>
    return { values: standing, complete: false }
  }
  const page = await store.entries<string>({ prefix: valueKey(''), limit: EVERYTHING })
  const entries = page.entries.map(({ key, value }) => [key.slice(valueKey('').length), value])
  return { values: Object.fromEntries(entries) as Record<string, string>, complete: page.complete }
}

/** Half of what is saved has no role: what it is is told by its content, so that a repeat is one. */
function roleOrType(message: ProgramMessage): ConversationItem {
  const isItem = (message.content.codePointAt(message.content.length - 1) ?? 0) % 2 === 1
  return isItem ? { type: 'note', ...message } : { role: 'user', ...message }
}

function shownOf(item: Item): ShownMessage {
  const { content } = JSON.parse(itemValue(item)!) as { content: string }
  return { id: item.id, content, position: item.position }
}

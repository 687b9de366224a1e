import type { ChatHistory } from '../chat/chat-history.ts'
import { conversationKey } from '../chat/keys.ts'
import { refsIn } from '../chat/content/content-ref.ts'
import type { ChatMessage, ConversationItem } from '../chat/message.ts'
import { invalid, StorageError } from '../core/errors.ts'
import { reading } from '../core/given.ts'
import { isPlain } from '../core/json.ts'
import { checkArray, checkObject, PAGE_ITEMS_MAX } from '../core/limits.ts'
import { NameLock } from '../core/name-lock.ts'
import { slicesOf } from '../core/slices-of.ts'
import { stampMs } from '../core/stamp.ts'
import {
  adapterPrefix,
  changeValue,
  entriesOf,
  groupsOf,
  keyPart,
  mayHaveMore,
  textOfPart,
} from './adapter-parts.ts'

/** Entries of one group. */
const ENTRIES_AT_ONCE = 500
/** What is longer is kept as content, since a message has at most 4 MiB. Bytes of JSON. */
const ENTRY_BYTES_MAX: number = 3 * 1024 * 1024

/** Names a transcript: the main one of a session, or with `subpath` that of a subagent. */
export interface ClaudeSessionKey {
  /** The directory that the agent works in, or a name of yours. */
  readonly projectKey: string
  readonly sessionId: string
  /** Not empty. */
  readonly subpath?: string | undefined
}

/** A line of a transcript: JSON, of which the SDK alone knows what it means. */
export type ClaudeSessionEntry = {
  type: string
  uuid?: string
  timestamp?: string
  [field: string]: unknown
}

/** A session and the time of its latest entry. Unix milliseconds. */
export interface ClaudeSession {
  sessionId: string
  mtime: number
}

/** What the SDK knows of a session without reading it; `data` is its own. */
export interface ClaudeSessionSummary extends ClaudeSession {
  data: Record<string, unknown>
}

/** What `EverthreadSessionStore` takes beside a history. */
export interface ClaudeSessionStoreOptions {
  /**
   * The function of this name of the SDK: with it summaries are kept, so that a list of sessions need not read them. Default: none are, and
   * the SDK reads the sessions.
   */
  readonly foldSessionSummary?: (
    before: ClaudeSessionSummary | undefined,
    key: { projectKey: string; sessionId: string },
    entries: ClaudeSessionEntry[],
    options: { mtime: number },
  ) => ClaudeSessionSummary
}

/**
 * Transcripts of the Claude Agent SDK: `query({ options: { sessionStore: new EverthreadSessionStore(history) } })`. A transcript is a
 * conversation of the history, `claude/PROJECT/SESSION` or `claude/PROJECT/SESSION/SUBPATH`, so that `getHistory`, `search` and `retention` have it too.
 *
 * Every method rejects with a `StorageError` when the places that were asked do not answer: null means that there is no such transcript.
 */
export class EverthreadSessionStore {
  /** One for each session that has an entry since there are summaries. Only with `foldSessionSummary`. */
  readonly listSessionSummaries?: (projectKey: string) => Promise<ClaudeSessionSummary[]>
  readonly #history: ChatHistory
  readonly #fold: ClaudeSessionStoreOptions['foldSessionSummary']
  /** Appends to one transcript happen in the order of their calls. */
  readonly #turns = new NameLock()

  /** The history is opened and closed by the caller; `history.forTenant(…)` keeps tenants apart. */
  constructor(history: ChatHistory, options: ClaudeSessionStoreOptions = {}) {
    this.#history = history
    this.#fold = options.foldSessionSummary
    if (this.#fold !== undefined) this.listSessionSummaries = (project) => this.#summaries(project)
  }

  /**
   * Entries in order, 500 or 8 MiB at a time all or nothing at each place. Of those with one `uuid` the first stays, so that a
   * repeat is harmless; entries without are appended each time.
   */
  async append(key: ClaudeSessionKey, entries: readonly ClaudeSessionEntry[]): Promise<void> {
    const id = transcriptOf(key)
    checkArray('entries', entries)
    for (const [i, entry] of entries.entries()) checkObject(`entries[${i}]`, entry)
    if (entries.length === 0) return
    await this.#turns.run([id], async () => {
      const mtime = await this.#save(id, entries)
      if (this.#fold !== undefined && key.subpath === undefined) {
        await this.#summarise(key, entries, mtime)
      }
    })
  }

  /** Everything that was appended, equal field by field; null when that is nothing. */
  async load(key: ClaudeSessionKey): Promise<ClaudeSessionEntry[] | null> {
    const entries: ClaudeSessionEntry[] = []
    for await (const message of this.#history.messages(transcriptOf(key))) {
      entries.push(await this.#entryOf(message))
    }
    return entries.length === 0 ? null : entries
  }

  /** Sessions that have a main transcript, in any order. */
  async listSessions(projectKey: string): Promise<ClaudeSession[]> {
    const { store } = this.#history
    const { parts, keyOf } = await this.#list(projectOf(projectKey))
    const sessions = parts.filter((part) => !part.includes('/'))
    const found: ClaudeSession[] = []
    for (const slice of slicesOf(sessions, PAGE_ITEMS_MAX)) {
      const queries = slice.map(
        (part) => ({ key: keyOf(part), limit: 1, order: 'newest' }) as const,
      )
      const pages = await store.readMany(queries)
      for (const [i, { items }] of pages.entries()) {
        const [last] = items
        if (last === undefined) continue
        found.push({ sessionId: textOfPart(slice[i]!), mtime: stampMs(last.position) })
      }
    }
    return found
  }

  /**
   * Removes a transcript for good; the main one with those of all subagents.
   *
   * @throws StorageError `UNAVAILABLE` while a place is away that may have transcripts of more subagents.
   */
  async delete(key: ClaudeSessionKey): Promise<void> {
    const id = transcriptOf(key)
    if (key.subpath !== undefined) return void (await this.#history.deleteConversation(id))
    const { parts, complete } = await this.#list(`${id}/`)
    for (const part of parts) await this.#history.deleteConversation(`${id}/${part}`)
    // Last, so that the session is listed until all of it is gone.
    await this.#history.store.delete(this.#summaryKey(key))
    await this.#history.deleteConversation(id)
    if (!complete) throw mayHaveMore()
  }

  /** Subpaths of a session that have a transcript. */
  async listSubkeys(key: { projectKey: string; sessionId: string }): Promise<string[]> {
    const { projectKey, sessionId } = key
    const { parts } = await this.#list(`${transcriptOf({ projectKey, sessionId })}/`)
    return parts.map(textOfPart)
  }

  /** When the last of them was appended. Unix milliseconds. */
  async #save(id: string, entries: readonly ClaudeSessionEntry[]): Promise<number> {
    const items: { readonly item: object; readonly bytes: number }[] = []
    const known = new Set<unknown>()
    for (const entry of entries) {
      if (isId(entry.uuid) && known.has(entry.uuid)) continue
      known.add(entry.uuid)
      items.push(await this.#itemOf(entry))
    }
    let mtime = 0
    for (const group of groupsOf(items, ENTRIES_AT_ONCE, ({ bytes }) => bytes)) {
      const given = group.map(({ item }) => item as ConversationItem)
      const receipts = await this.#history.saveItems(id, given, { onConflict: 'ignore' })
      for (const { position } of receipts) mtime = Math.max(mtime, stampMs(position))
    }
    return mtime
  }

  async #itemOf(entry: ClaudeSessionEntry): Promise<{ item: object; bytes: number }> {
    const { uuid, type, message } = entry
    const own = isId(uuid) ? { id: keyPart(uuid) } : {}
    const text = reading('entries', () => JSON.stringify(entry))
    const bytes = Buffer.byteLength(text)
    if (bytes > ENTRY_BYTES_MAX) {
      const { ref } = await this.#history.saveContent(Buffer.from(text), CONTENT)
      return { item: { ...own, type, long: ref }, bytes: 0 }
    }
    // What a tool printed is no reference to content of the history, whatever it says.
    if (refsIn(entry).size > 0) return { item: { ...own, type, text }, bytes }
    if (!isMessage(message)) return { item: { ...own, type, entry }, bytes }
    const { role, content, ...rest } = message
    return { item: { ...own, role, content, entry: { ...entry, message: rest } }, bytes }
  }

  async #entryOf(stored: ChatMessage): Promise<ClaudeSessionEntry> {
    const { role, content, entry, long, text } = stored as StoredEntry
    if (long !== undefined) {
      const bytes = await (await this.#history.readContent(long)).bytes()
      return JSON.parse(Buffer.from(bytes).toString()) as ClaudeSessionEntry
    }
    if (text !== undefined) return JSON.parse(text) as ClaudeSessionEntry
    if (entry === undefined) throw foreign(stored.id)
    if (role === undefined) return entry
    return { ...entry, message: { role, content, ...(entry['message'] as object) } }
  }

  /** What stands behind a prefix in the ids of conversations. */
  async #list(prefix: string): Promise<Listed> {
    const { store, tenant } = this.#history
    const from = conversationKey(tenant, prefix)
    const parts: string[] = []
    let complete = true
    let after: string | undefined
    for (;;) {
      const query = { prefix: from, limit: PAGE_ITEMS_MAX, ...(after !== undefined && { after }) }
      const page = await store.listKeys(query)
      parts.push(...page.keys.map((key) => key.slice(from.length)))
      complete &&= page.complete
      after = page.keys.at(-1)
      if (page.done || after === undefined) break
    }
    return { parts, complete, keyOf: (part) => from + part }
  }

  #summaryKey({ projectKey, sessionId }: ClaudeSessionKey): string {
    const prefix = adapterPrefix(this.#history.tenant, 'claude-agent')
    return `${prefix}${keyPart(projectKey)}/${keyPart(sessionId)}`
  }

  async #summaries(projectKey: string): Promise<ClaudeSessionSummary[]> {
    const prefix = this.#summaryKey({ projectKey, sessionId: '' })
    const found: ClaudeSessionSummary[] = []
    const entries = entriesOf<ClaudeSessionSummary>(this.#history.store, prefix)
    for await (const { value } of entries) found.push(value)
    return found
  }

  async #summarise(
    key: ClaudeSessionKey,
    entries: readonly ClaudeSessionEntry[],
    appended: number,
  ): Promise<void> {
    const { store } = this.#history
    const name = this.#summaryKey(key)
    await changeValue<ClaudeSessionSummary, undefined>(store, name, 'anywhere', (before) => {
      const mtime = Math.max(appended, before?.mtime ?? 0)
      return { result: undefined, value: this.#fold!(before, key, [...entries], { mtime }) }
    })
  }
}

interface Listed {
  readonly parts: readonly string[]
  /** False while a place is away that may have more. */
  readonly complete: boolean
  readonly keyOf: (part: string) => string
}

/** An entry as a message or an item of the history has it. */
interface StoredEntry {
  readonly role?: string
  /** What is said. */
  readonly content?: unknown
  /** The rest. */
  readonly entry?: ClaudeSessionEntry
  /** The name of what is too long for a message. */
  readonly long?: string
  /** All of it as JSON, where something in it looks like such a name. */
  readonly text?: string
}

const CONTENT = { mediaType: 'application/json' }
const ROLES: readonly unknown[] = ['user', 'assistant', 'system']

function projectOf(projectKey: string): string {
  return `claude/${keyPart(projectKey, 'projectKey')}/`
}

/** The id of its conversation. */
function transcriptOf({ projectKey, sessionId, subpath }: ClaudeSessionKey): string {
  if (sessionId === '') throw invalid('sessionId must not be empty')
  const main = projectOf(projectKey) + keyPart(sessionId, 'sessionId')
  if (subpath === undefined) return main
  if (subpath === '') throw invalid('subpath must not be empty')
  return `${main}/${keyPart(subpath, 'subpath')}`
}

function isId(uuid: unknown): uuid is string {
  return typeof uuid === 'string' && uuid !== ''
}

/** What a message of the history can be made of. */
function isMessage(given: unknown): given is { readonly role: string; readonly content: unknown } {
  if (typeof given !== 'object' || given === null || !isPlain(given)) return false
  const { role, content } = given as { readonly role?: unknown; readonly content?: unknown }
  if (!ROLES.includes(role)) return false
  return typeof content === 'string' || (Array.isArray(content) && content.every(isPart))
}

function isPart(given: unknown): boolean {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return false
  return typeof (given as { readonly type?: unknown }).type === 'string'
}

function foreign(id: string): StorageError {
  const text = `message ${JSON.stringify(id)} was not saved by the Claude Agent SDK`
  return new StorageError('CORRUPT', text, { operation: 'load' })
}

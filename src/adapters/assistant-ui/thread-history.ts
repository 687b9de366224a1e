import type { ChatHistory } from '../../chat/chat-history.ts'
import { toUIMessages } from '../../chat/convert/to-ui-messages.ts'
import type { ChatMessage, NewMessage } from '../../chat/message.ts'
import type { UIPart } from '../../chat/providers/ui.ts'
import { invalid } from '../../core/errors.ts'
import { showValue } from '../../core/show-value.ts'

/** What is looked at of a `ThreadMessage`; all else is kept as it came. */
export interface BranchMessage {
  readonly id: string
  readonly role: 'system' | 'user' | 'assistant'
  readonly createdAt: Date
  readonly content?: unknown
}

/** A message with the one before it; null: it begins a branch. */
export interface BranchItem<Message> {
  message: Message
  parentId: string | null
  runConfig?: { readonly custom?: Record<string, unknown> }
}

/** What `load` gives: all branches, each message behind its parent. */
export interface BranchRepository<Message> {
  messages: BranchItem<Message>[]
}

/** One row of a format of its own. */
export interface FormattedEntry<Content> {
  id: string
  parent_id: string | null
  format: string
  content: Content
}

/** How a runtime writes messages that are not assistant-ui's own, such as those of the AI SDK. */
export interface MessageFormat<Message, Content extends Record<string, unknown>> {
  format: string
  encode(item: { parentId: string | null; message: Message }): Content
  decode(stored: FormattedEntry<Content>): { parentId: string | null; message: Message }
  getId(message: Message): string
}

/** The history of messages in such a format. */
export interface FormattedHistory<Message> {
  load(): Promise<{ messages: { parentId: string | null; message: Message }[] }>
  append(item: { parentId: string | null; message: Message }): Promise<void>
  update(item: { parentId: string | null; message: Message }, localId: string): Promise<void>
  delete(items: { parentId: string | null; message: Message }[]): Promise<void>
}

/** A `ThreadHistoryAdapter`. */
export interface ThreadHistory<Message extends BranchMessage> {
  scopeId: string
  load(): Promise<BranchRepository<Message>>
  /** May be repeated: a message stands once. */
  append(item: BranchItem<Message>): Promise<void>
  /** Replaces a message, or saves one that is not there. */
  update(item: BranchItem<Message>): Promise<void>
  /** One that is not there is deleted already. */
  delete(items: BranchItem<Message>[]): Promise<void>
  withFormat<Own, Content extends Record<string, unknown>>(
    format: MessageFormat<Own, Content>,
  ): FormattedHistory<Own>
}

/** What stands beside a message's own fields. */
interface Beside {
  readonly parentId?: string | null
  readonly runConfig?: BranchItem<unknown>['runConfig']
  readonly format?: string
  /** What an entry of a format has, where it is no message by itself. */
  readonly formatted?: Record<string, unknown>
}

type Stored = ChatMessage & Beside

/**
 * The branches of a thread in a conversation, which has all of them in the order in which they were saved. The history
 * is opened and closed by the caller: `threadHistory<ThreadMessage>(history, threadId)`. Messages that others saved
 * stand behind the one before them.
 */
export function threadHistory<Message extends BranchMessage>(
  history: ChatHistory,
  threadId: string,
): ThreadHistory<Message> {
  const save = async (message: object): Promise<void> => {
    const saved = [message as NewMessage]
    await history.saveMessages(threadId, saved, { onConflict: 'replace' })
  }
  const remove = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids) {
      if ((await history.getMessage(threadId, id)) !== undefined) {
        await history.deleteMessage(threadId, id)
      }
    }
  }
  const put = async (item: BranchItem<Message>): Promise<void> => {
    await save(toStore(item))
  }
  return {
    scopeId: JSON.stringify([history.tenant, threadId]),
    load: async () => {
      const items: BranchItem<Message>[] = []
      for (const { message, parentId, runConfig } of await readAll(history, threadId)) {
        if (message.format !== undefined) continue
        const shown = shownMessage(message) as Message
        items.push({ message: shown, parentId, ...(runConfig !== undefined && { runConfig }) })
      }
      return { messages: parentsFirst(items, ({ message }) => message.id) }
    },
    append: put,
    update: put,
    delete: (items) => remove(items.map(({ message }) => message.id)),
    withFormat: ({ format, encode, decode, getId }) => {
      const write: FormattedHistory<Parameters<typeof getId>[0]>['append'] = async (item) => {
        await save(ofFormat(format, encode(item), getId(item.message), item.parentId))
      }
      return {
        load: async () => {
          const messages = []
          for (const { message, parentId } of await readAll(history, threadId)) {
            if (message.format !== format) continue
            const content = contentOf(message) as ReturnType<typeof encode>
            messages.push(decode({ id: message.id, parent_id: parentId, format, content }))
          }
          return { messages: parentsFirst(messages, ({ message }) => getId(message)) }
        },
        append: write,
        update: write,
        delete: (items) => remove(items.map(({ message }) => getId(message))),
      }
    },
  }
}

interface ReadItem {
  readonly message: Stored
  readonly parentId: string | null
  readonly runConfig: Beside['runConfig']
}

async function readAll(history: ChatHistory, threadId: string): Promise<ReadItem[]> {
  const items: ReadItem[] = []
  for await (const message of history.messages(threadId) as AsyncIterable<Stored>) {
    const { parentId = items.at(-1)?.message.id ?? null, runConfig } = message
    items.push({ message, parentId, runConfig })
  }
  return items
}

function toStore<Message extends BranchMessage>(item: BranchItem<Message>): object {
  const { message, parentId, runConfig } = item
  const { createdAt, attachments, ...rest } = message as BranchMessage & { attachments?: object[] }
  if (!(createdAt instanceof Date)) {
    throw invalid(`message.createdAt must be a Date, got ${showValue(createdAt)}`)
  }
  // The browser's handle of a file says nothing elsewhere; what it holds is in the attachment's content.
  const kept = attachments?.map(({ file: _file, ...attachment }: { file?: unknown }) => attachment)
  const beside = { parentId, ...(runConfig !== undefined && { runConfig }) }
  const more = kept !== undefined && { attachments: kept }
  return { ...rest, ...more, createdAt: createdAt.toISOString(), ...beside }
}

/** What assistant-ui takes for a message of its own: what it wrote, or what another one says. */
function shownMessage({ parentId, runConfig: _config, createdAt, ...message }: Stored): object {
  const date = new Date(createdAt)
  if (parentId !== undefined) return { ...message, createdAt: date }
  const [ui] = toUIMessages([{ ...message, createdAt }]).messages
  const { id, status } = message
  const role = ui?.role ?? 'assistant'
  const content = (ui?.parts ?? []).flatMap(contentPart)
  const shared = { id, role, createdAt: date, content }
  if (role === 'user') return { ...shared, attachments: [], metadata: { custom: {} } }
  if (role === 'system') return { ...shared, metadata: { custom: {} } }
  const lists = { unstable_annotations: [], unstable_data: [], steps: [] }
  const metadata = { unstable_state: null, ...lists, custom: {} }
  const isCut = status === 'incomplete'
  const ended = isCut
    ? { type: 'incomplete', reason: 'other' }
    : { type: 'complete', reason: 'unknown' }
  return { ...shared, metadata, status: status === 'in_progress' ? { type: 'running' } : ended }
}

function contentPart(part: UIPart): object[] {
  if (part.type === 'text' || part.type === 'reasoning')
    return [{ type: part.type, text: part.text }]
  if (!('toolCallId' in part)) return []
  const { toolCallId } = part
  const toolName = part.type === 'dynamic-tool' ? part.toolName : part.type.slice('tool-'.length)
  const args = part.input ?? {}
  const call = { type: 'tool-call', toolCallId, toolName, args, argsText: JSON.stringify(args) }
  if (part.state === 'output-available') return [{ ...call, result: part.output }]
  return [part.state === 'output-error' ? { ...call, result: part.errorText, isError: true } : call]
}

/** Fields that are the store's, or this adapter's. */
const TAKEN = ['id', 'createdAt', 'parentId', 'runConfig', 'format', 'formatted']

function ofFormat(
  format: string,
  content: Record<string, unknown>,
  id: string,
  parentId: string | null,
): object {
  const { role } = content
  const isMessage = role === 'user' || role === 'assistant' || role === 'system'
  const isPlain = isMessage && TAKEN.every((name) => !(name in content))
  const body = isPlain ? content : { role: 'unknown', content: null, formatted: content }
  return { ...body, id, parentId, format }
}

function contentOf(stored: Stored): object {
  const {
    id: _id,
    createdAt: _at,
    parentId: _parent,
    format: _format,
    formatted,
    ...content
  } = stored
  return formatted ?? content
}

/** Each behind its parent, otherwise as they come: two processes may have saved them the other way round. */
function parentsFirst<Item extends { readonly parentId: string | null }>(
  items: readonly Item[],
  idOf: (item: Item) => string,
): Item[] {
  const byId = new Map(items.map((item) => [idOf(item), item]))
  const ordered = new Set<Item>()
  for (const item of items) {
    const path: Item[] = []
    let next: Item | undefined = item
    while (next !== undefined && !ordered.has(next) && !path.includes(next)) {
      path.push(next)
      next = next.parentId === null ? undefined : byId.get(next.parentId)
    }
    for (const each of path.toReversed()) ordered.add(each)
  }
  return [...ordered]
}

/*
 * Removes content that nobody refers to:
 *
 *   1  what conversations say is read; a note of a reference alone says nothing, since messages go in many ways
 *   2  what nothing refers to is marked (`doom`), and the mark is brought to both databases
 *   3  its notes are read again. A reference that was noted meanwhile keeps it; one that is noted later finds the
 *      mark, and is refused: so nothing that was acknowledged refers to what goes
 *   4  an erase takes the chunks
 *
 * Every read of it must be complete: what may be referred to where nobody can look stays.
 */
import { checkSignal } from '../../backend/check-signal.ts'
import { isOutage, StorageError } from '../../core/errors.ts'
import { decodeJson } from '../../core/json.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue } from '../../core/merge.ts'
import { stampFloor, type Stamp } from '../../core/stamp.ts'
import type { GroupChange } from '../../store/groups.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { isMessageText } from '../codec.ts'
import { conversationKey, tenantPrefix } from '../keys.ts'
import { readHead, type ContentHead } from './content-head.ts'
import type { CleanContentReport } from './content-options.ts'
import { nameIn, refOf, refsIn, type ContentRef } from './content-ref.ts'

/** Messages of one page: their contents are read. */
const PAGE_MESSAGES = 200
/** Uploads that one erase takes. */
const UPLOADS_AT_ONCE = 100
/** How long a message may be on its way behind the note of its reference. Milliseconds. */
const SAVE_MS = 60_000
/** How long a mark may take to reach both databases. Milliseconds. */
const FLUSH_MS = 5_000

/** What the conversations that were looked at refer to. */
type Said = Map<string, ReadonlySet<ContentRef>>

/** Removals of content of one tenant. */
export class ContentCleaner {
  readonly #store: StrategicStorageManager
  readonly #tenant: string

  constructor(store: StrategicStorageManager, tenant: string) {
    this.#store = store
    this.#tenant = tenant
  }

  /** @throws StorageError `UNAVAILABLE` while a place is away or the clocks disagree. */
  async clean(graceMs: number, signal: AbortSignal | undefined): Promise<CleanContentReport> {
    await this.#store.checkClocks('the removal of content')
    await this.#lookAnew()
    const before = stampFloor(this.#store.earliestNow() - graceMs)
    // Those first: one that ends meanwhile is known by then.
    const uploads = await this.#keys('chunk')
    const known = new Set<string>()
    const unneeded: ContentHead[] = []
    const said: Said = new Map()
    const keys = await this.#keys('content')
    for (const key of keys) {
      checkSignal(signal)
      const head = await this.#head(key)
      for (const { id } of head.uploads) known.add(this.#chunksKey(id))
      if (head.uploads.length > 0 && !(await this.#isNeeded(head, before, said, signal))) {
        unneeded.push(head)
      }
    }
    const doomed = await this.#doom(unneeded, signal)
    const unfinished: string[] = []
    for (const key of uploads) {
      if (!known.has(key) && (await this.#isOld(key, before))) unfinished.push(key)
    }
    const changes = doomed.flatMap((head) => this.#removalOf(head))
    await this.#erase([...changes, ...unfinished.map((key) => ({ kind: 'delete', key }) as const)])
    return { contents: keys.length, removed: doomed.length, unfinished: unfinished.length }
  }

  /** What only this conversation refers to, doomed; nothing while that cannot be known. */
  async onlyOf(conversationId: string): Promise<readonly GroupChange[]> {
    try {
      const { keys } = await this.#store.listKeys({ prefix: this.#prefix('content'), limit: 1 })
      if (keys.length === 0) return []
      await this.#lookAnew()
      const said: Said = new Map()
      const before = stampFloor(this.#store.earliestNow() - SAVE_MS)
      const unneeded: ContentHead[] = []
      for (const ref of await this.#saidIn(conversationId)) {
        const head = await this.#head(this.#prefix('content') + nameIn(ref))
        const own = head.references.find((each) => each.conversationId === conversationId)
        const references = head.references.filter((each) => each !== own)
        // Who saved it again since may be about to refer to it.
        const isSeen = own === undefined || head.seen === undefined || head.seen > own.position
        const others = { ...head, references, seen: undefined }
        if (isSeen || (await this.#isNeeded(others, before, said, undefined))) continue
        unneeded.push(head)
      }
      const doomed = await this.#doom(unneeded, undefined)
      return doomed.flatMap((head) => this.#removalOf(head))
    } catch (error) {
      // The pass takes it when the places are back.
      if (isOutage(error)) return []
      throw error
    }
  }

  async #isNeeded(
    { key, references, seen }: ContentHead,
    before: Stamp,
    said: Said,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (seen !== undefined && seen >= before) return true
    const ref = refOf(key.slice(this.#prefix('content').length))
    for (const { conversationId, position } of references) {
      checkSignal(signal)
      // The message may be on its way.
      if (position >= before) return true
      let refs = said.get(conversationId)
      if (refs === undefined) said.set(conversationId, (refs = await this.#saidIn(conversationId)))
      if (refs.has(ref)) return true
    }
    return false
  }

  /** Marks contents, and gives those that nobody began to refer to until the mark was everywhere. */
  async #doom(
    heads: readonly ContentHead[],
    signal: AbortSignal | undefined,
  ): Promise<ContentHead[]> {
    if (heads.length === 0) return []
    for (const { key, uploads } of heads) {
      const marks = uploads.filter(({ isDoomed }) => !isDoomed)
      if (marks.length === 0) continue
      await this.#store.groups.write(
        marks.map(({ id }) => ({ kind: 'put', key, id: `doom/${id}`, value: 1 })),
      )
    }
    await this.#store.flushWAL(FLUSH_MS)
    await this.#lookAnew()
    const doomed: ContentHead[] = []
    for (const head of heads) {
      checkSignal(signal)
      const now = await this.#head(head.key)
      const isSame = now.seen === head.seen && lastOf(now.references) === lastOf(head.references)
      if (isSame) doomed.push(head)
    }
    return doomed
  }

  /** The chunks go, and what says where they are; notes stay, since their ids could not be used again. */
  #removalOf({ key, uploads }: ContentHead): GroupChange[] {
    return uploads.flatMap(({ id }) => [
      { kind: 'delete', key: this.#chunksKey(id) },
      { kind: 'remove', key, id: `at/${id}` },
      { kind: 'remove', key, id: `doom/${id}` },
    ])
  }

  async #erase(changes: readonly GroupChange[]): Promise<void> {
    const deletions = changes.filter(({ kind }) => kind === 'delete').map(({ key }) => key)
    const left = changes.filter((change) => change.kind === 'remove')
    for (let i = 0; i < deletions.length; i += UPLOADS_AT_ONCE) {
      const keys = deletions.slice(i, i + UPLOADS_AT_ONCE)
      const own = left.filter(({ id }) =>
        keys.includes(this.#chunksKey(id.slice(id.indexOf('/') + 1))),
      )
      // It goes on by itself.
      await this.#store.erase('key', keys, 0, { left: own })
    }
  }

  /** What the messages of a conversation refer to. */
  async #saidIn(conversationId: string): Promise<ReadonlySet<ContentRef>> {
    const key = conversationKey(this.#tenant, conversationId)
    const refs = new Set<ContentRef>()
    let after: Stamp | undefined
    for (;;) {
      const query = { key, limit: PAGE_MESSAGES, order: 'oldest', ...(after && { after }) } as const
      const page = await this.#store.readItems(query)
      checkComplete(page.complete)
      for (const item of page.items) {
        const text = itemValue(item)
        if (text === undefined || !text.includes('"content:') || !isMessageText(text)) continue
        for (const ref of refsIn(decodeJson<object>(text))) refs.add(ref)
      }
      after = page.items.at(-1)?.position
      if (page.done || after === undefined) return refs
    }
  }

  /** Which process owes the primary something is asked now: what was known of that may be some seconds old. */
  async #lookAnew(): Promise<void> {
    await this.#store.follow(this.#store.groups.newId())
  }

  async #head(key: string): Promise<ContentHead> {
    const head = await readHead(this.#store, key)
    checkComplete(head.complete)
    return head
  }

  async #isOld(key: string, before: Stamp): Promise<boolean> {
    const { items, complete } = await this.#store.readItems({ key, limit: 1, order: 'newest' })
    checkComplete(complete)
    return items.length > 0 && items[0]!.position < before
  }

  async #keys(space: 'content' | 'chunk'): Promise<readonly string[]> {
    const all: string[] = []
    let after: string | undefined
    for (;;) {
      const query = { prefix: this.#prefix(space), limit: PAGE_ITEMS_MAX }
      const page = await this.#store.listKeys({ ...query, ...(after !== undefined && { after }) })
      checkComplete(page.complete)
      all.push(...page.keys)
      after = page.keys.at(-1)
      if (page.done || after === undefined) return all
    }
  }

  #prefix(space: 'content' | 'chunk'): string {
    return tenantPrefix(this.#tenant, space)
  }

  #chunksKey(id: string): string {
    return this.#prefix('chunk') + id
  }
}

function lastOf(references: ContentHead['references']): Stamp | undefined {
  return references.at(-1)?.position
}

function checkComplete(complete: boolean): void {
  if (complete) return
  throw new StorageError('UNAVAILABLE', 'a place that may refer to content is away', {
    operation: 'read',
  })
}

/* What clients do about branches of conversations, content beside messages, and searches. */
import type { ChatHistory } from '../src/chat/chat-history.ts'
import type { HistoryRecord, ShownMessage } from '../src/testing/history-checker/history.ts'
import { readBefore, readBranch, truncateFrom } from './programs/perform-branch.ts'
import { downloadFrom, saveReference, uploadTo } from './programs/perform-content.ts'
import { searchPages } from './programs/read-pages.ts'
import type { RandomSource } from './random-source.ts'
import type { Node } from './world.ts'

/** How often each is done, beside the calls of the workload. */
export const BRANCH_MIX = {
  search: 3,
  fork: 3,
  branch: 5,
  truncate: 2,
  alternative: 3,
  upload: 2,
  download: 2,
} as const

export type BranchAct = keyof typeof BRANCH_MIX

/** A record while the call runs: what the outcome adds is filled in. */
export type Open<R extends HistoryRecord = HistoryRecord> = {
  -readonly [Field in keyof R]: R[Field]
}

/** What every record of a call begins with. */
export interface OpenCall {
  readonly client: string
  readonly process: string
  readonly incarnation: number
  readonly conversation: string
  readonly startMs: number
  readonly outcome: 'unknown'
}

/** How a client makes calls. */
export interface Calls {
  readonly now: () => number
  readonly label: (letter: string) => string
  readonly open: (node: Node, client: string, conversation: string) => OpenCall
  /** True when it was acknowledged; what it answers is added to the record. */
  readonly call: (
    node: Node,
    record: Open,
    run: (history: ChatHistory) => Promise<object>,
  ) => Promise<boolean>
}

/** Who does it, and where. */
export interface Client {
  readonly node: Node
  readonly name: string
  readonly conversation: string
}

export class BranchWorkload {
  readonly #calls: Calls
  readonly #forks: { readonly conversation: string; readonly fork: string }[] = []
  /** Of contents that somebody was told, by their names. */
  readonly #refs = new Map<string, string>()
  #names = 0

  constructor(calls: Calls) {
    this.#calls = calls
  }

  /** `shown`: what a read of the conversation shows now, for calls about one message. */
  async act(
    act: BranchAct,
    random: RandomSource,
    client: Client,
    shown: () => Promise<readonly ShownMessage[] | undefined>,
  ): Promise<void> {
    switch (act) {
      case 'search':
        return await this.#search(client, random.integer(1, 7))
      case 'branch':
        if (this.#forks.length === 0) return
        return await this.#branch({ ...client, ...random.pick(this.#forks) }, false)
      case 'upload':
        return await this.#upload(client, random)
      case 'download':
        if (this.#refs.size === 0) return
        return await this.#download(client, random.pick([...this.#refs.keys()]), {})
      case 'fork':
      case 'truncate':
      case 'alternative': {
        const messages = await shown()
        if (messages === undefined || messages.length === 0) return
        return await this.#about(act, client, random.pick(messages).id)
      }
    }
  }

  /** All forks and contents, from one process, when nothing happens any more. */
  async readAll(node: Node, name: string, isCleaned: boolean): Promise<void> {
    const client = { node, name, conversation: 'contents' }
    for (const content of this.#refs.keys()) {
      await this.#download(client, content, { final: true, isCleaned })
    }
    if (isCleaned) return
    for (const each of this.#forks) await this.#branch({ node, name, ...each }, true)
  }

  /** True when there may be something to remove. */
  get hasContents(): boolean {
    return this.#refs.size > 0
  }

  async #about(
    act: 'fork' | 'truncate' | 'alternative',
    { node, name, conversation }: Client,
    id: string,
  ): Promise<void> {
    const { open, call, label, now } = this.#calls
    const opened = open(node, name, conversation)
    if (act === 'alternative') {
      const content = label('a')
      await call(node, { kind: 'edit', ...opened, id, content }, async (history) => {
        const message = { role: 'assistant', content } as const
        const { copies } = await history.addAlternative(conversation, id, message)
        return { copies }
      })
      return
    }
    if (act === 'truncate') {
      const record: Open = { kind: 'truncate', ...opened, id, seen: [] }
      await call(node, record, async (history) => {
        record.seen = (await readBefore(history, conversation, id, now)).seen
        return await truncateFrom(history, conversation, id)
      })
      return
    }
    const fork = `fork ${this.#forks.length}`
    this.#forks.push({ conversation, fork })
    const record: Open = { kind: 'fork', ...opened, fork, id, shown: [], readMs: opened.startMs }
    await call(node, record, async (history) => {
      const { shown, readMs } = await readBefore(history, conversation, id, now)
      Object.assign(record, { shown, readMs })
      const { copies } = await history.fork(conversation, { from: id, as: fork })
      return { copies }
    })
  }

  async #branch(
    { node, name, conversation, fork }: Client & { readonly fork: string },
    final: boolean,
  ): Promise<void> {
    const { open, call } = this.#calls
    const opened = open(node, name, conversation)
    const record: Open = { kind: 'branch', ...opened, fork, messages: [], complete: false, final }
    await call(node, record, (history) => readBranch(history, fork))
  }

  /** New bytes, or some that were saved before; then a message that refers to them. */
  async #upload({ node, name, conversation }: Client, random: RandomSource): Promise<void> {
    const { open, call, label } = this.#calls
    const known = [...this.#refs.keys()]
    const isNew = known.length === 0 || random.chance(0.7)
    const content = isNew ? `content ${++this.#names}` : random.pick(known)
    const usedBy = label('m')
    const upload = {
      kind: 'upload',
      ...open(node, name, 'contents'),
      name: content,
      usedBy,
    } as const
    let ref = ''
    const isSaved = await call(node, upload, async (history) => {
      const saved = await uploadTo(history, content)
      ref = saved.ref
      this.#refs.set(content, ref)
      return { copies: saved.copies }
    })
    if (!isSaved || node.history === undefined) return
    const append = { kind: 'append', ...open(node, name, conversation), content: usedBy } as const
    await call(node, append, async (history) => {
      const { id, position, copies } = await saveReference(history, conversation, usedBy, ref)
      return { id, position, copies }
    })
  }

  async #download(
    { node, name }: Client,
    content: string,
    {
      final = false,
      isCleaned = false,
    }: { readonly final?: boolean; readonly isCleaned?: boolean },
  ): Promise<void> {
    const { open, call } = this.#calls
    const mark = { name: content, found: 'other', complete: false, final, isCleaned } as const
    const record: Open = { kind: 'download', ...open(node, name, 'contents'), ...mark }
    await call(node, record, async (history) => {
      return {
        found: await downloadFrom(history, content, this.#refs.get(content)!),
        complete: true,
      }
    })
  }

  async #search({ node, name, conversation }: Client, limit: number): Promise<void> {
    const { open, call } = this.#calls
    const mark = { messages: [], complete: true, paged: true, final: false }
    await call(
      node,
      { kind: 'read', ...open(node, name, conversation), ...mark },
      async (history) => {
        const { messages, complete } = await searchPages(history, { conversation, limit })
        return { messages, complete }
      },
    )
  }
}

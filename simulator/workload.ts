import type { ChatHistory } from '../src/chat/chat-history.ts'
import { conversationKey } from '../src/chat/keys.ts'
import { isStorageError } from '../src/core/errors.ts'
import { itemValue } from '../src/core/merge.ts'
import type { Stamp } from '../src/core/stamp.ts'
import type {
  AppendRecord,
  HistoryRecord,
  SetRecord,
  ShownMessage,
} from '../src/testing/history-checker/history.ts'
import { BRANCH_MIX, BranchWorkload, type Open, type OpenCall } from './branch-workload.ts'
import { SEARCHED_WORD } from './programs/program.ts'
import { readPages } from './programs/read-pages.ts'
import { RandomSource } from './random-source.ts'
import { swappedByPrimary, swappedKey } from './swapped.ts'
import type { Node, World } from './world.ts'

/** Longest that a client waits for any call; the checker complains much earlier. */
const PATIENCE_MS = 30_000
const RETRY_MS = 50
const SAVE_TRIES = 3
const EVERYTHING = 1_000

const MIX = {
  append: 27,
  group: 5,
  save: 14,
  repeat: 6,
  conflict: 2,
  edit: 6,
  remove: 4,
  set: 5,
  mset: 3,
  swap: 8,
  get: 5,
  clear: 4,
  read: 18,
  pages: 6,
  ...BRANCH_MIX,
} as const

/** A message with an id of the caller's, which may be saved again. */
interface OwnSave {
  readonly conversation: string
  readonly id: string
  readonly content: string
}

/** What the clients of one world share. */
export class Workload {
  readonly #world: World
  readonly #saves: OwnSave[] = []
  readonly #branches: BranchWorkload
  #labels = 0
  #running = 0

  constructor(world: World) {
    this.#world = world
    this.#branches = new BranchWorkload({
      now: () => world.kernel.now,
      label: (letter) => this.#label(letter),
      open: (node, client, conversation) => this.#open(node, client, conversation),
      call: (node, record, run) => this.#call(node, record, run),
    })
  }

  get isDone(): boolean {
    return this.#running === 0
  }

  start(): void {
    const { nodes, settings } = this.#world
    for (const node of nodes) {
      for (let i = 0; i < settings.clientsPerProcess; i++) {
        this.#running++
        void this.#client(node, `${node.name}c${i}`).finally(() => this.#running--)
      }
    }
  }

  /** One last read of every conversation from every process. */
  async readAll(): Promise<void> {
    const { nodes, settings } = this.#world
    for (const node of nodes) {
      for (let i = 0; i < settings.conversations; i++) {
        const name = `${node.name}.final`
        await this.#read(node, name, conversationName(i), true)
        await this.#get(node, name, conversationName(i), true)
        await this.#swapped(node, name, conversationName(i), true)
      }
      await this.#branches.readAll(node, `${node.name}.final`, false)
    }
    await this.#readCleaned()
  }

  /** Contents once more, without those that no message refers to. */
  async #readCleaned(): Promise<void> {
    const { nodes, kernel } = this.#world
    const [first] = nodes
    if (first?.history === undefined || !this.#branches.hasContents) return
    try {
      await first.history.cleanContent({ graceMs: 0 })
    } catch (error) {
      // While clocks disagree it removes nothing.
      if (!isStorageError(error)) throw error
    }
    await kernel.sleep(PATIENCE_MS)
    for (const node of nodes) await this.#branches.readAll(node, `${node.name}.final`, true)
  }

  async #client(node: Node, name: string): Promise<void> {
    const world = this.#world
    const { kernel, keep, settings, seed } = world
    for (let i = 0; i < settings.operationsPerClient; i++) {
      const id = `${name}.${i}`
      // Numbers of its own: a step that is left out changes nothing about the others.
      const random = new RandomSource(seed, id)
      const pauseMs = random.between(20, 600)
      const atMs = keep === undefined ? kernel.now + pauseMs : keep.get(id)
      if (atMs === undefined) continue
      await kernel.sleep(atMs - kernel.now)
      if (node.history === undefined) continue
      const conversation = conversationName(random.integer(0, settings.conversations - 1))
      const act = random.weighted(MIX)
      world.takesStep(id, `${act} ${conversation}`)
      await this.#act(act, random, node, name, conversation)
    }
  }

  async #act(
    act: keyof typeof MIX,
    random: RandomSource,
    node: Node,
    name: string,
    conversation: string,
  ): Promise<void> {
    switch (act) {
      case 'append':
        await this.#append(node, name, { conversation, content: this.#label('m') })
        return
      case 'save': {
        const content = this.#label('m')
        const save = { conversation, content, id: `id-${content}` }
        this.#saves.push(save)
        return await this.#save(random, node, name, save)
      }
      case 'repeat':
        if (this.#saves.length > 0) await this.#save(random, node, name, random.pick(this.#saves))
        return
      case 'conflict': {
        if (this.#saves.length === 0) return
        const { id, conversation: other } = random.pick(this.#saves)
        const save = { conversation: other, id, content: this.#label('x') }
        await this.#append(node, name, save)
        return
      }
      case 'group':
        return await this.#group(random, node, name, conversation)
      case 'edit':
      case 'remove':
        return await this.#change(random, node, name, conversation)
      case 'set':
        return await this.#set(node, name, conversation)
      case 'mset':
        return await this.#setAll(node, name)
      case 'swap':
        return await this.#swap(node, name, conversation)
      case 'get':
        return await this.#get(node, name, conversation, false)
      case 'clear':
        return await this.#clear(node, name, conversation)
      case 'read':
        return void (await this.#read(node, name, conversation, false))
      case 'pages':
        return await this.#pages(random, node, name, conversation)
      default: {
        const shown = () => this.#read(node, name, conversation, false)
        return await this.#branches.act(act, random, { node, name, conversation }, shown)
      }
    }
  }

  // ---- writes

  async #append(
    node: Node,
    client: string,
    { conversation, content, id }: { conversation: string; content: string; id?: string },
  ): Promise<boolean> {
    const record: Open = {
      kind: 'append',
      ...this.#open(node, client, conversation),
      content,
      ...(id !== undefined && { id, callersId: true }),
    }
    return await this.#call(node, record, async (history) => {
      const message = { role: 'user', content, ...(id !== undefined && { id }) } as const
      const receipt = await history.saveMessage(conversation, message)
      return { id: receipt.id, position: receipt.position, copies: receipt.copies }
    })
  }

  /** Several messages, all or nothing; some with ids of the caller's. */
  async #group(
    random: RandomSource,
    node: Node,
    client: string,
    conversation: string,
  ): Promise<void> {
    const own = random.chance(0.4)
    const group = this.#label('g')
    const records = Array.from({ length: random.integer(2, 4) }, (): Open<AppendRecord> => {
      const content = this.#label('m')
      const open = { ...this.#open(node, client, conversation), content, group }
      return { kind: 'append', ...open, ...(own && { id: `id-${content}`, callersId: true }) }
    })
    await this.#callAll(node, records, async (history) => {
      const messages = records.map(({ content, id }) => ({
        role: 'user' as const,
        content,
        ...(own && id !== undefined && { id }),
      }))
      return await history.saveMessages(conversation, messages)
    })
  }

  /** Tries again, perhaps through another process, as a client behind a load balancer does. */
  async #save(random: RandomSource, node: Node, client: string, save: OwnSave): Promise<void> {
    const { kernel, nodes } = this.#world
    let through = node
    for (let attempt = 0; attempt < SAVE_TRIES; attempt++) {
      if (await this.#append(through, client, save)) return
      await kernel.sleep(RETRY_MS)
      if (random.chance(0.6)) through = random.pick(nodes)
      if (through.history === undefined) return
    }
  }

  async #change(
    random: RandomSource,
    node: Node,
    client: string,
    conversation: string,
  ): Promise<void> {
    const shown = await this.#read(node, client, conversation, false)
    if (shown === undefined || shown.length === 0 || node.history === undefined) return
    const { id } = random.pick(shown)
    if (random.chance(0.4)) {
      const record: Open = { kind: 'remove', ...this.#open(node, client, conversation), id }
      await this.#call(node, record, async (history) => {
        const { copies } = await history.deleteMessage(conversation, id)
        return { copies }
      })
      return
    }
    const content = this.#label('e')
    const record: Open = { kind: 'edit', ...this.#open(node, client, conversation), id, content }
    await this.#call(node, record, async (history) => {
      const { copies } = await history.updateMessage(conversation, id, { role: 'user', content })
      return { copies }
    })
  }

  async #set(node: Node, client: string, conversation: string): Promise<void> {
    const content = this.#label('v')
    const record: Open = { kind: 'set', ...this.#open(node, client, conversation), content }
    await this.#call(node, record, async ({ store }) => {
      const { copies } = await store.set(conversationKey('', conversation), content)
      return { copies }
    })
  }

  /** The values of all conversations, all or nothing. */
  async #setAll(node: Node, client: string): Promise<void> {
    const { conversations } = this.#world.settings
    const records = Array.from({ length: conversations }, (_, i): Open<SetRecord> => {
      const open = this.#open(node, client, conversationName(i))
      return { kind: 'set', ...open, content: this.#label('v') }
    })
    await this.#callAll(node, records, async ({ store }) => {
      const values = records.map(
        ({ conversation, content }) => [conversationKey('', conversation), content] as const,
      )
      const { copies } = await store.mset(values)
      return records.map(() => ({ copies }))
    })
  }

  /** Reads the swapped value and sets another one in its place, if it still stands. */
  async #swap(node: Node, client: string, conversation: string): Promise<void> {
    const read = await this.#swapped(node, client, conversation, false)
    if (read === undefined || node.history === undefined) return
    const { content: expected, stamp } = read
    const byPrimary = swappedByPrimary(conversation)
    const record: Open = {
      kind: 'swap',
      ...this.#open(node, client, conversation),
      content: this.#label('s'),
      ...(expected !== undefined && { expected }),
      byPrimary,
    }
    const key = swappedKey(conversation)
    await this.#call(node, record, async ({ store }) => {
      const { copies } = await store.write([{ kind: 'set', key, value: record.content }], {
        if: [stamp === undefined ? { key, absent: true } : { key, stamp }],
        decide: byPrimary ? 'primary' : 'anywhere',
      })
      return { copies }
    })
  }

  async #swapped(
    node: Node,
    client: string,
    conversation: string,
    final: boolean,
  ): Promise<{ readonly content?: string; readonly stamp?: Stamp } | undefined> {
    const record: Open = {
      kind: 'swapped',
      ...this.#open(node, client, conversation),
      content: undefined,
      final,
    }
    let found: { readonly content?: string; readonly stamp?: Stamp } = {}
    const isAnswered = await this.#call(node, record, async ({ store }) => {
      const entry = await store.getEntry<string>(swappedKey(conversation))
      if (entry !== undefined) found = { content: entry.value, stamp: entry.stamp }
      return { content: entry?.value }
    })
    return isAnswered ? found : undefined
  }

  async #clear(node: Node, client: string, conversation: string): Promise<void> {
    const record: Open = { kind: 'clear', ...this.#open(node, client, conversation) }
    await this.#call(node, record, async (history) => {
      const { copies } = await history.clearHistory(conversation)
      return { copies }
    })
  }

  // ---- reads

  async #get(node: Node, client: string, conversation: string, final: boolean): Promise<void> {
    const record: Open = {
      kind: 'get',
      ...this.#open(node, client, conversation),
      content: undefined,
      // A plain value does not say whether it is complete: other processes are not judged.
      complete: false,
      final,
    }
    await this.#call(node, record, async ({ store }) => {
      return { content: await store.get<string>(conversationKey('', conversation)) }
    })
  }

  async #read(
    node: Node,
    client: string,
    conversation: string,
    final: boolean,
  ): Promise<readonly ShownMessage[] | undefined> {
    const record: Open = {
      kind: 'read',
      ...this.#open(node, client, conversation),
      messages: [],
      complete: false,
      paged: false,
      final,
    }
    const answered = await this.#call(node, record, async ({ store }) => {
      const key = conversationKey('', conversation)
      const { items, complete, done } = await store.readItems({
        key,
        limit: EVERYTHING,
        // The only reads that a cache may answer.
        order: 'newest',
      })
      if (!done) throw new Error('the conversation is longer than a page')
      const messages = items.map((item) => ({
        id: item.id,
        content: (JSON.parse(itemValue(item)!) as { content: string }).content,
        position: item.position,
      }))
      return { messages: messages.reverse(), complete }
    })
    return answered && record.kind === 'read' ? record.messages : undefined
  }

  /** Page by page through the chat layer, forwards or backwards. */
  async #pages(
    random: RandomSource,
    node: Node,
    client: string,
    conversation: string,
  ): Promise<void> {
    const record: Open = {
      kind: 'read',
      ...this.#open(node, client, conversation),
      messages: [],
      complete: true,
      paged: true,
      final: false,
    }
    const limit = random.integer(1, 7)
    const forwards = random.chance(0.5)
    await this.#call(node, record, async (history) => {
      const { messages, complete } = await readPages(history, { conversation, limit, forwards })
      return { messages, complete }
    })
  }

  // ---- recording

  #open(node: Node, client: string, conversation: string): OpenCall {
    return {
      client,
      process: node.name,
      incarnation: node.process.life?.incarnation ?? -1,
      conversation,
      startMs: this.#world.kernel.now,
      outcome: 'unknown',
    }
  }

  async #call(
    node: Node,
    record: Open,
    run: (history: ChatHistory) => Promise<object>,
  ): Promise<boolean> {
    return await this.#callAll(node, [record], async (history) => [await run(history)])
  }

  /** Runs one call to its end, to the end of its process or of the client's patience. */
  async #callAll(
    node: Node,
    records: readonly Open[],
    run: (history: ChatHistory) => Promise<readonly object[]>,
  ): Promise<boolean> {
    const world = this.#world
    const { history } = node
    if (history === undefined) return false
    world.records.push(...records)
    const [first] = records
    for (const record of records) markLog(record, node)
    const name = `${first!.client} ${first!.kind}`
    world.say(name, 'begins', records.map(titleOf).join(', '))
    return await new Promise<boolean>((resolve) => {
      let over = false
      const end = (isOk: boolean, text: string, change: object, detail?: unknown): void => {
        if (over) return
        over = true
        patience.cancel()
        for (const record of records) Object.assign(record, change)
        world.say(name, text, detail)
        resolve(isOk)
      }
      node.process.onEnd(() => end(false, 'died', { abandoned: true }))
      const patience = world.kernel.schedule(PATIENCE_MS, () => end(false, 'HANGS', {}))
      run(history).then(
        (results) => {
          if (!over) results.forEach((result, i) => Object.assign(records[i]!, result))
          end(true, 'ok', { outcome: 'ok', settledMs: world.kernel.now }, results)
        },
        (error: unknown) => {
          const outcome = isStorageError(error) ? error.effect : 'unknown'
          if (!over && !isStorageError(error)) world.surprises.push(`${name}: ${String(error)}`)
          const change = { outcome, settledMs: world.kernel.now }
          end(false, `failed, effect ${outcome}`, change, error)
        },
      )
    })
  }

  #label(letter: string): string {
    return `${SEARCHED_WORD} ${letter}${++this.#labels}`
  }
}

function conversationName(index: number): string {
  return `c${index}`
}

function markLog(record: Open, { wal }: Node): void {
  if (record.kind !== 'read' && record.kind !== 'get') return
  if (wal?.stats().state === 'closed') record.withoutLog = true
}

function titleOf(record: HistoryRecord): string {
  const content = 'content' in record ? (record.content ?? '') : ''
  const id = 'id' in record ? (record.id ?? '') : ''
  return `${record.conversation} ${content} ${id}`
}

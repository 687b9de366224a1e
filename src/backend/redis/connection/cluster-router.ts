import type { Env, Timer } from '../../../core/env.ts'
import { messageOf, StorageError } from '../../../core/errors.ts'
import { askFirst } from './ask-first.ts'
import type { RedisAddress, ResolvedRedisConnection } from './options.ts'
import { replyCode, replyRest } from './redis-error.ts'
import { RedisNode } from './redis-node.ts'
import type { RedisRouter } from './router.ts'
import type { RedisServerInfo } from './server-info.ts'
import { slotOf } from './slots.ts'

/** Times that one command is sent on to another node. */
const REDIRECTS_MAX = 5
/** How often the map of slots is read while a node is away. Milliseconds. */
const WATCH_MS = 500

/** One line of `CLUSTER SLOTS`. */
interface SlotRange {
  readonly first: number
  readonly last: number
  readonly master: RedisAddress
}

/**
 * A Redis Cluster: one connection for each master, and the map of slots, which is read again when a
 * node says that a slot has moved or does not answer. A command that was sent is sent on only when
 * the node has refused to run it.
 */
export class ClusterRouter implements RedisRouter {
  readonly isCluster = true
  readonly #env: Env
  readonly #connection: ResolvedRedisConnection
  readonly #nodes = new Map<string, RedisNode>()
  #ranges: readonly SlotRange[] = []
  #reading: Promise<void> | undefined
  #watch: Timer | undefined
  #closed = false
  /** Connections of nodes that have left the map: the count never goes back. */
  #past = 0

  constructor(env: Env, connection: ResolvedRedisConnection) {
    this.#env = env
    this.#connection = connection
  }

  get hasFailover(): boolean {
    return this.servers.some(({ replicas }) => replicas > 0)
  }

  get ready(): boolean {
    return this.#ranges.length > 0 && this.#masters().every((node) => node.ready)
  }

  get epoch(): number {
    return [...this.#nodes.values()].reduce((sum, node) => sum + node.epoch, this.#past)
  }

  get servers(): readonly RedisServerInfo[] {
    return this.#masters().flatMap(({ servers }) => servers)
  }

  async connect(): Promise<void> {
    if (this.#closed) throw new StorageError('CLOSED', 'Redis backend is closed')
    this.#watchNodes()
    if (this.#ranges.length === 0) await this.#readMap()
    await Promise.all(this.#masters().map(async (node) => await node.connect()))
  }

  async send(key: string, args: readonly string[]): Promise<unknown> {
    let node = this.#nodeOf(key)
    if (node === undefined) {
      throw new StorageError('UNAVAILABLE', `no node of the Redis Cluster has slot ${slotOf(key)}`)
    }
    let isAsking = false
    for (let redirects = 0; ; redirects++) {
      try {
        // In one turn of the loop, so that nothing comes between the two.
        if (isAsking) void node.send(key, ['ASKING']).catch(() => {})
        return await node.send(key, args)
      } catch (error) {
        const code = replyCode(error)
        if ((code !== 'MOVED' && code !== 'ASK') || redirects === REDIRECTS_MAX) throw error
        isAsking = code === 'ASK'
        if (!isAsking) this.#readMapSoon()
        node = await this.#redirected(error)
      }
    }
  }

  runIdOf(key: string): string {
    return this.#nodeOf(key)?.runIdOf(key) ?? 'unknown'
  }

  misled(key: string, error: unknown): void {
    this.#nodeOf(key)?.misled(key, error)
    this.#readMapSoon()
  }

  async refresh(): Promise<void> {
    await Promise.all(this.#masters().map(async (node) => await node.refresh()))
  }

  close(): void {
    this.#closed = true
    this.#watch?.cancel()
    for (const node of this.#nodes.values()) node.close()
  }

  #masters(): readonly RedisNode[] {
    const names = new Set(this.#ranges.map(({ master }) => nameOf(master)))
    return [...names].flatMap((name) => this.#nodes.get(name) ?? [])
  }

  #nodeOf(key: string): RedisNode | undefined {
    const slot = slotOf(key)
    const range = this.#ranges.find(({ first, last }) => first <= slot && slot <= last)
    return range && this.#nodes.get(nameOf(range.master))
  }

  /** The node that `MOVED slot host:port` or `ASK slot host:port` names. */
  async #redirected(error: unknown): Promise<RedisNode> {
    const address = replyRest(error).split(' ')[1] ?? ''
    const at = address.lastIndexOf(':')
    const host = address.slice(0, at)
    const node = this.#node({
      host: host === '' ? this.#connection.nodes[0]!.host : host,
      port: Number(address.slice(at + 1)),
    })
    await node.connect()
    return node
  }

  #node(address: RedisAddress): RedisNode {
    const name = nameOf(address)
    let node = this.#nodes.get(name)
    if (node === undefined) {
      const locate = async (): Promise<RedisAddress> => address
      node = new RedisNode({ env: this.#env, connection: this.#connection, locate })
      this.#nodes.set(name, node)
    }
    return node
  }

  /** While a node is away another one may have taken its slots. */
  #watchNodes(): void {
    this.#watch?.cancel()
    if (this.#closed) return
    this.#watch = this.#env.setTimer(WATCH_MS, () => {
      if (!this.ready) this.#readMapSoon()
      this.#watchNodes()
    })
  }

  #readMapSoon(): void {
    this.#readMap().catch((error: unknown) => {
      this.#env.logger.debug({ error: messageOf(error) }, 'Redis: the map of slots was not read')
    })
  }

  async #readMap(): Promise<void> {
    this.#reading ??= this.#readMapOnce().finally(() => (this.#reading = undefined))
    await this.#reading
  }

  async #readMapOnce(): Promise<void> {
    const ranges = await this.#askForMap()
    if (this.#closed) return
    this.#ranges = ranges
    const names = new Set(ranges.map(({ master }) => nameOf(master)))
    for (const [name, node] of this.#nodes) {
      if (names.has(name)) continue
      this.#nodes.delete(name)
      this.#past += node.epoch
      node.close()
    }
    for (const { master } of ranges) {
      this.#node(master)
        .connect()
        .catch(() => {
          // It is tried again; commands for it are refused meanwhile.
        })
    }
  }

  async #askForMap(): Promise<readonly SlotRange[]> {
    const known = this.#ranges.map(({ master }) => master)
    const named = [...known, ...this.#connection.nodes].map((node) => [nameOf(node), node] as const)
    return await askFirst(this.#env, {
      addresses: new Map(named).values(),
      // Not on those of the nodes, which are for masters.
      options: this.#connection,
      command: ['CLUSTER', 'SLOTS'],
      read: (reply, address) => {
        const lines = reply as readonly unknown[]
        if (lines.length > 0) return lines.map((line) => rangeOf(line, address.host))
        throw new StorageError('UNAVAILABLE', `${nameOf(address)} knows no slots`)
      },
      failure: 'no node of the Redis Cluster answers',
    })
  }
}

/** `[first, last, [host, port, …], replicas…]`; a node that knows no name for itself gives none. */
function rangeOf(line: unknown, asked: string): SlotRange {
  const [first, last, master] = line as readonly [number, number, readonly unknown[]]
  const [host, port] = master
  const name = typeof host === 'string' && host !== '' && host !== '?' ? host : asked
  return { first: Number(first), last: Number(last), master: { host: name, port: Number(port) } }
}

function nameOf({ host, port }: RedisAddress): string {
  return `${host}:${port}`
}

import { connect, createServer, type Server, type Socket } from 'node:net'
import { byDefault, integer, needed, text } from '../core/option-kinds.ts'
import { resolve, type OptionTable } from '../core/options.ts'
import { listenAt, listenSomewhere } from './listen.ts'

/** `up` is from the client to the server, `down` are the replies. */
export type Direction = 'up' | 'down'

/**
 * What the proxy does to connections, live and new ones.
 *
 * - `pass`: nothing.
 * - `delay`: each piece of data waits this long. Order is kept.
 * - `black-hole`: data is held, as in a partition: no end, no reset. It is delivered when the fault
 *   is lifted, as TCP would.
 * - `drop`: data vanishes for ever, the connection stays.
 * - `reset`: each connection is reset (RST) at its next byte; new ones at once.
 * - `refuse`: nothing listens; live connections go on.
 * - `cut`: each connection passes this many more bytes in the direction and is then reset.
 *
 * Without `direction` a fault acts on both.
 */
export type Fault =
  | { readonly kind: 'pass' | 'reset' | 'refuse' }
  | { readonly kind: 'delay'; readonly delayMs: number; readonly direction?: Direction }
  | { readonly kind: 'black-hole' | 'drop'; readonly direction?: Direction }
  | { readonly kind: 'cut'; readonly bytes: number; readonly direction?: Direction }

export interface FaultProxyOptions {
  /** Port of the server behind the proxy. */
  readonly port: number
  /** Default: 127.0.0.1. */
  readonly host?: string
}

export interface FaultProxyStats {
  /** Connections accepted so far. */
  connections: number
  /** Bytes delivered to the server. */
  up: number
  /** Bytes delivered to the client. */
  down: number
}

interface Link {
  readonly client: Socket
  readonly server: Socket
  /** Bytes that a `cut` still lets through. */
  readonly left: Record<Direction, number>
}

export const FAULT_PROXY_OPTIONS: OptionTable<FaultProxyOptions, 'host'> = {
  port: needed(integer(1, 65_535)),
  host: byDefault('127.0.0.1', text()),
}

/** A TCP proxy on 127.0.0.1 that injects network faults. */
export class FaultProxy {
  readonly stats: FaultProxyStats = { connections: 0, up: 0, down: 0 }
  readonly #target: { readonly port: number; readonly host: string }
  readonly #links = new Set<Link>()
  readonly #lifted = new Set<() => void>()
  #fault: Fault = { kind: 'pass' }
  #listener: Server | undefined
  #opening: Promise<void> | undefined
  #port = 0

  private constructor(options: FaultProxyOptions) {
    this.#target = resolve('', options, FAULT_PROXY_OPTIONS)
  }

  /** Opens a proxy on a free port. */
  static async open(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options)
    await proxy.#listen()
    return proxy
  }

  /** Where clients connect; it stays the same through `refuse`. */
  get port(): number {
    return this.#port
  }

  /** Open connections. */
  get live(): number {
    return this.#links.size
  }

  /** Changes the fault; what the last one held is delivered. Resolves when it is in force. */
  async set(fault: Fault): Promise<void> {
    this.#fault = fault
    for (const { left } of this.#links) limit(left, fault)
    for (const lift of this.#lifted) lift()
    this.#lifted.clear()
    if (fault.kind === 'refuse') await this.#unlisten()
    else if (this.#listener === undefined) await this.#listen()
  }

  /** Resets every live connection at both ends. */
  killAll(): void {
    for (const link of this.#links) reset(link)
  }

  /** Ends the proxy and all its connections. */
  async close(): Promise<void> {
    this.killAll()
    this.#fault = { kind: 'pass' }
    for (const lift of this.#lifted) lift()
    await this.#unlisten()
  }

  /** Once for all who ask at the same moment. */
  async #listen(): Promise<void> {
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined))
    await this.#opening
  }

  async #open(): Promise<void> {
    const listener = createServer({ allowHalfOpen: true }, (client) => this.#accept(client))
    this.#port = await (this.#port === 0
      ? listenSomewhere(listener)
      : listenAt(listener, this.#port))
    this.#listener = listener
  }

  /** Stops accepting. It does not wait for live connections, which go on. */
  async #unlisten(): Promise<void> {
    await this.#opening
    const listener = this.#listener
    this.#listener = undefined
    listener?.close()
    // The port is closed in this turn of the loop; a turn later nobody is accepted any more.
    await new Promise((resolve) => setImmediate(resolve))
  }

  #accept(client: Socket): void {
    this.stats.connections++
    if (this.#fault.kind === 'reset' || this.#fault.kind === 'refuse') {
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const server = connect({ ...this.#target, allowHalfOpen: true })
    const link: Link = { client, server, left: { up: Infinity, down: Infinity } }
    limit(link.left, this.#fault)
    this.#links.add(link)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      // A reset at one end is passed on as a reset at the other.
      socket.on('error', () => reset(link))
      socket.on('close', () => {
        if (client.destroyed && server.destroyed) this.#links.delete(link)
      })
    }
    this.#pump(link, 'up')
    this.#pump(link, 'down')
  }

  #pump(link: Link, direction: Direction): void {
    const from = direction === 'up' ? link.client : link.server
    const to = direction === 'up' ? link.server : link.client
    // One chain a direction keeps the order; reading pauses, so nothing piles up.
    let chain = Promise.resolve()
    from.on('data', (data: Buffer) => {
      from.pause()
      chain = chain.then(async () => {
        await this.#forward(link, direction, to, data)
        from.resume()
      })
    })
    from.on('end', () => {
      chain = chain.then(async () => {
        await this.#hold(direction, to)
        to.end()
      })
    })
    from.on('close', () => {
      chain = chain.then(async () => {
        await this.#hold(direction, to)
        to.destroy()
      })
    })
  }

  async #forward(link: Link, direction: Direction, to: Socket, data: Buffer): Promise<void> {
    await this.#hold(direction, to)
    const fault = this.#fault
    if (fault.kind === 'delay' && actsOn(fault, direction)) {
      await new Promise((resolve) => setTimeout(resolve, fault.delayMs))
    }
    if (fault.kind === 'reset') return reset(link)
    if (fault.kind === 'drop' && actsOn(fault, direction)) return
    const passed = data.subarray(0, link.left[direction])
    link.left[direction] -= passed.length
    if (!to.destroyed && passed.length > 0) {
      this.stats[direction] += passed.length
      await new Promise((resolve) => to.write(passed, resolve))
    }
    if (link.left[direction] === 0) reset(link)
  }

  /** Waits while a black hole is in force. */
  async #hold(direction: Direction, to: Socket): Promise<void> {
    while (this.#fault.kind === 'black-hole' && actsOn(this.#fault, direction) && !to.destroyed) {
      await new Promise<void>((resolve) => {
        this.#lifted.add(resolve)
        to.once('close', resolve)
      })
    }
  }
}

function limit(left: Record<Direction, number>, fault: Fault): void {
  for (const direction of ['up', 'down'] as const) {
    left[direction] = fault.kind === 'cut' && actsOn(fault, direction) ? fault.bytes : Infinity
  }
}

function actsOn(fault: { readonly direction?: Direction }, direction: Direction): boolean {
  return fault.direction === undefined || fault.direction === direction
}

function reset({ client, server }: Link): void {
  for (const socket of [client, server]) if (!socket.destroyed) socket.resetAndDestroy()
}

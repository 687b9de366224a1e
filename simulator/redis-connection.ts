import type { RawConnection } from '../src/backend/redis/connection/raw-connection.ts'
import { RedisError } from './redis/reply.ts'
import type { ClientReply, SimulatedRedis } from './redis/simulated-redis.ts'
import type { Kernel } from './kernel.ts'
import type { Caller } from './remote-call.ts'
import type { SimulatedServer } from './simulated-server.ts'

export interface RedisConnectionParts {
  readonly kernel: Kernel
  readonly server: SimulatedServer<SimulatedRedis>
  readonly caller: Caller
  /** How long the client goes without a sign of life of the server. Milliseconds. */
  readonly silenceMs: number
  readonly onLost: (error: Error) => void
}

interface Request {
  readonly args: readonly string[]
  readonly settle: (outcome: () => ClientReply) => void
  readonly fail: (error: Error) => void
}

/**
 * A TCP connection to the simulated Redis: commands arrive in order, answers come back in order, and
 * once something is lost nothing arrives any more. What was sent before the client gave the connection
 * up may still arrive and be done.
 */
export class RedisConnection implements RawConnection {
  readonly #parts: RedisConnectionParts
  readonly #waiting = new Set<Request>()
  /** Sent in one moment: they arrive together. */
  #packet: Request[] = []
  #packetMs = -1
  #arrivesMs = 0
  #answeredMs = 0
  /** At the client. */
  #isOpen = true
  /** On the way or at the server. */
  #isCut = false

  constructor(parts: RedisConnectionParts) {
    this.#parts = parts
  }

  async send(args: readonly string[]): Promise<unknown> {
    const { caller } = this.#parts
    const name = `${args[0]}`
    if (!this.#isOpen) throw lost('The client is closed')
    caller.observe?.(name, args, 'sent', undefined)
    return await new Promise<ClientReply>((resolve, reject) => {
      const request: Request = {
        args,
        settle: (outcome) => {
          if (!this.#waiting.delete(request) || !caller.life.isAlive) return
          try {
            const reply = outcome()
            caller.observe?.(name, args, 'answered', reply)
            resolve(reply)
          } catch (error) {
            request.fail(error as Error)
          }
        },
        fail: (error) => {
          this.#waiting.delete(request)
          caller.observe?.(name, args, 'failed', error)
          reject(error)
        },
      }
      this.#waiting.add(request)
      this.#send(request)
    })
  }

  destroy(): void {
    this.#isOpen = false
    this.#failAll('Disconnects client')
  }

  /** The server or something on the way ends the connection; mostly both sides hear of it. */
  reset(isHeard: boolean): void {
    this.#isCut = true
    if (isHeard) this.#later(this.#parts.server.latencyMs(), () => this.#end('read ECONNRESET'))
    else this.#goesSilent()
  }

  #send(request: Request): void {
    const { kernel, server, caller } = this.#parts
    if (this.#packetMs === kernel.now) {
      this.#packet.push(request)
      return
    }
    const packet = [request]
    this.#packet = packet
    this.#packetMs = kernel.now
    this.#arrivesMs = Math.max(this.#arrivesMs, kernel.now + server.latencyMs())
    kernel.schedule(this.#arrivesMs - kernel.now, () => {
      if (this.#isCut) return
      if (server.loses(caller.from, 'request')) this.#goesSilent()
      else server.work(() => this.#run(packet))
    })
  }

  #run(packet: readonly Request[]): void {
    const { kernel, server, caller } = this.#parts
    if (this.#isCut) return
    const outcomes = packet.map(({ args }) => outcomeOf(() => server.content.execute(args)))
    this.#answeredMs = Math.max(this.#answeredMs, kernel.now + server.latencyMs())
    kernel.schedule(this.#answeredMs - kernel.now, () => {
      if (this.#isCut) return
      if (server.loses(caller.from, 'reply')) this.#goesSilent()
      else packet.forEach(({ settle }, i) => settle(outcomes[i]!))
    })
  }

  #goesSilent(): void {
    this.#isCut = true
    this.#later(this.#parts.silenceMs, () => this.#end('Socket timeout'))
  }

  #end(text: string): void {
    if (!this.#isOpen) return
    this.destroy()
    this.#parts.onLost(lost(text))
  }

  #later(ms: number, run: () => void): void {
    const { kernel, caller } = this.#parts
    kernel.schedule(ms, () => {
      if (caller.life.isAlive) run()
    })
  }

  #failAll(text: string): void {
    if (!this.#parts.caller.life.isAlive) return
    for (const { fail } of this.#waiting) fail(lost(text))
  }
}

/** @throws for an error that only a mistake in a script, or in the simulated server, leads to. */
function outcomeOf(run: () => ClientReply): () => ClientReply {
  try {
    const reply = run()
    return () => reply
  } catch (error) {
    if (!(error instanceof RedisError) || error.message.startsWith('ERR ')) throw error
    return () => {
      throw error
    }
  }
}

/** As a driver says it: no code in front. */
function lost(text: string): Error {
  return new Error(text)
}

import type { Env } from '../../core/env.ts'
import type { WAL } from '../../wal/wal.ts'
import type { LogDevice, LogFault } from './log-device.ts'
import type { CallObserver } from './remote-call.ts'
import type { SharedLog } from './shared-log.ts'
import { SharedLogWal } from './shared-log-wal.ts'
import type { Life } from './simulated-process.ts'
import type { SimulatedServer } from './simulated-server.ts'

/** A process's way to the log that it shares with the others. */
export class SharedLogDevice implements LogDevice {
  readonly #server: SimulatedServer<SharedLog>
  readonly #from: number
  readonly #observe: CallObserver
  #life: Life | undefined

  constructor(server: SimulatedServer<SharedLog>, from: number, observe: CallObserver) {
    this.#server = server
    this.#from = from
    this.#observe = observe
  }

  createWal(env: Env): WAL {
    const caller = { life: this.#life!, from: this.#from, observe: this.#observe }
    return new SharedLogWal(env, this.#server, caller)
  }

  attach(life: Life): undefined {
    this.#life = life
  }

  /** The server has its own power. */
  crash(): void {}

  /** `wal-out` is either the server or the way to it. */
  break(fault: LogFault): void {
    switch (fault) {
      case 'wal-out':
        if (this.#from % 2 === 0) this.#server.isUp = false
        else this.#server.cutOff.add(this.#from)
        return
      case 'wal-full':
        this.#server.content.isFull = true
        return
      case 'wal-slow':
        this.#server.slowness = 40
        return
      case 'wal-hang':
        this.#server.isPaused = true
        return
    }
  }

  heal(): void {
    this.#server.content.isFull = false
    this.#server.heal()
  }
}

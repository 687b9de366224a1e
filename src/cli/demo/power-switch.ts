import { mkdir, readdir, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ReplicaBackend } from '../../backend/replica-backend.ts'
import { StorageConnectionError } from '../../core/errors.ts'

/** Calls that answer from memory and therefore never fail. */
const ALWAYS = new Set<PropertyKey>(['getBackendType', 'getDurability', 'disconnect'])

/** Generators: they fail when they are read, like the others by a rejection. */
const GENERATORS = new Set<PropertyKey>(['scan', 'scanStored', 'checkParts'])

export interface PowerSwitchOptions {
  /** The database file. */
  readonly path: string
  /** Makes a database on that file, not connected yet. */
  readonly create: () => Promise<ReplicaBackend>
}

/**
 * A database that can be taken away while it is in use. Taking it away closes it and moves its files
 * to another folder, so nothing can be read from it or written to it by anybody; calls then fail at
 * once, as they do when a server has gone and its address refuses connections. What it does not
 * show is a server that hangs: that costs the store a bounded delay instead.
 */
export class PowerSwitch {
  /** The database as the store gets it. */
  readonly backend: ReplicaBackend
  readonly #options: PowerSwitchOptions
  #real: ReplicaBackend
  #on = true

  constructor(options: PowerSwitchOptions, real: ReplicaBackend) {
    this.#options = options
    this.#real = real
    this.backend = new Proxy(real, { get: (_target, name) => this.#get(name) })
  }

  static async create(options: PowerSwitchOptions): Promise<PowerSwitch> {
    return new PowerSwitch(options, await options.create())
  }

  async off(): Promise<void> {
    this.#on = false
    await this.#real.disconnect()
    await this.#move(dirname(this.#options.path), this.#awayFolder())
  }

  async on(): Promise<void> {
    await this.#move(this.#awayFolder(), dirname(this.#options.path))
    this.#real = await this.#options.create()
    await this.#real.connect()
    this.#on = true
  }

  #get(name: PropertyKey): unknown {
    if (name === 'isConnected') return () => this.#on && this.#real.isConnected()
    const member: unknown = Reflect.get(this.#real, name)
    if (typeof member !== 'function') return member
    return (...args: unknown[]): unknown => {
      if (this.#on || ALWAYS.has(name)) return Reflect.apply(member, this.#real, args)
      const error = new StorageConnectionError('sqlite', 'the primary was taken away', {
        place: 'primary',
        operation: String(name),
      })
      return GENERATORS.has(name) ? failingScan(error) : Promise.reject(error)
    }
  }

  #awayFolder(): string {
    return join(dirname(this.#options.path), 'taken-away')
  }

  /** The file, and those that SQLite keeps beside it. */
  async #move(from: string, to: string): Promise<void> {
    await mkdir(to, { recursive: true })
    const name = basename(this.#options.path)
    for (const file of await readdir(from)) {
      if (file === name) await rename(join(from, file), join(to, file))
      else if (file.startsWith(`${name}-`)) {
        // The library may let go of the file later than it says, and removes these then.
        await rename(join(from, file), join(to, file)).catch(unlessGone)
      }
    }
  }
}

// eslint-disable-next-line require-yield -- it fails before it could
async function* failingScan(error: Error): AsyncGenerator<never> {
  throw error
}

function unlessGone(error: unknown): void {
  if ((error as { readonly code?: unknown }).code !== 'ENOENT') throw error
}

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChatHistory } from '../chat/chat-history.ts'
import type { ChatHistoryOptions } from '../chat/open-chat-history.ts'
import { messageOf } from '../core/errors.ts'
import { logLine } from '../core/log-line.ts'
import type { Logger } from '../core/logger.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { secretsOf } from '../core/redact.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { Terminal, type Colour, type OutputStream } from './output/terminal.ts'
import { loadConfig } from './settings/load-config.ts'
import { readEnvironment, type Variables } from './settings/read-environment.ts'
import { resolveSettings, type GivenSettings } from './settings/resolve-settings.ts'
import { DEFAULT_DATABASES, type Settings } from './settings/settings.ts'

/** How long a command waits at its end for a place that works and lags. */
const DRAIN_MS = 5_000
/** How long closing waits after that, for one that is out. */
const CLOSE_MS = 1_000

/** Lines of the log that are remembered, so that they are printed once. */
const TOLD_MAX = 1_000

/** The world outside of the process, so that tests can replace it. */
export interface CliIo {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly variables: Variables
  readonly cwd: string
  /** Aborted by SIGINT and SIGTERM; the reason is the exit code. */
  readonly interrupt: AbortSignal
}

/** The options that every command with a store has. */
export interface StoreFlags extends GivenSettings {
  readonly config?: string
  readonly allowDegradedStart?: boolean
  readonly verbose?: boolean
}

/** What the commands share. */
export class CliContext {
  readonly io: CliIo
  readonly terminal: Terminal
  /** Set by the command that ran. */
  exitCode: ExitCode = EXIT.ok
  /** Set by a command that watches `io.interrupt` and has something to finish. */
  endsItself = false

  constructor(io: CliIo) {
    this.io = io
    this.terminal = new Terminal(io)
  }

  /** A path of the command line, seen from the working directory. */
  path(path: string): string {
    return resolve(this.io.cwd, path)
  }

  /** The settings of flags, environment and configuration file. */
  async settings(flags: StoreFlags): Promise<Settings> {
    const { cwd, variables } = this.io
    const config = await loadConfig(cwd, flags.config)
    const environment = await readEnvironment(variables, (path) =>
      readFile(this.path(path), 'utf8'),
    )
    const sources = { config, environment, flags }
    const settings = resolveSettings(sources)
    this.terminal.hide(secretsOf(settings))
    // Loaded late: `--help` and mistakes need no store.
    const { checkSettings } = await import('./settings/setting-options.ts')
    checkSettings(settings, sources)
    return settings
  }

  /** Opens the store, hands it to the action and closes it, whatever happens in between. */
  async withStore<T>(
    flags: StoreFlags,
    action: (history: ChatHistory, settings: Settings) => Promise<T>,
    more: Pick<ChatHistoryOptions, 'reconcile' | 'allowDegradedStart'> = {},
  ): Promise<T> {
    const settings = await this.settings(flags)
    const { openChatHistory } = await import('../chat/open-chat-history.ts')
    const history = await openChatHistory({
      // Named, so that no command warns of the default.
      primary: DEFAULT_DATABASES.primary,
      ...settings,
      allowDegradedStart: flags.allowDegradedStart ?? false,
      ...more,
      logger: this.logger(flags),
      drainTimeout: CLOSE_MS,
    })
    let result: T
    try {
      result = await action(history, settings)
    } catch (error) {
      // The first error is the one that counts; that of closing is only told.
      await history.close().catch((failure: unknown) => {
        this.terminal.note(`everthread: closing the store failed: ${messageOf(failure)}`)
      })
      throw error
    }
    await this.#drain(history)
    await history.close()
    return result
  }

  /** Lets both databases have everything, for as long as that is likely to end soon. */
  async #drain(history: ChatHistory): Promise<void> {
    const { places } = history.status()
    const lagging = pendingOf(history).some(
      ({ place, pending }) => pending > 0 && places[place].connected && places[place].healthy,
    )
    if (lagging && !this.io.interrupt.aborted) {
      const deadline = new AbortController()
      // It may go out meanwhile: what it lacks is in the log, and is told below.
      await Promise.race([
        history.flush().catch(() => {}),
        sleep(DRAIN_MS, undefined, { signal: deadline.signal }).catch(() => {}),
      ])
      deadline.abort()
    }
    const { durable } = history.status().wal
    for (const { place, pending, refused } of pendingOf(history)) {
      if (refused > 0) {
        const where = 'they stay in the log: see everthread wal dead-letters'
        this.terminal.note(`everthread: the ${place} refuses ${refused} changes; ${where}`)
      }
      if (pending === 0) continue
      const then = durable
        ? 'in the log; whoever opens this store next applies them'
        : 'in a log that ends with this process; reconciling will copy them'
      this.terminal.note(`everthread: ${pending} changes wait for the ${place}, ${then}`)
    }
  }

  /** Warnings and errors of the library on standard error; all of it with `--verbose`. */
  logger({ verbose = false }: StoreFlags): Logger {
    const told = new Set<string>()
    const print = (level: string, fields: object, message: string, colour?: Colour): void => {
      const text = verbose ? `${message} ${JSON.stringify(fields)}` : logLine(fields, message)
      const line = `everthread: ${level}: ${text}`
      // What is tried again and again fails again and again: once is enough to know.
      if (!verbose && told.has(line)) return
      if (told.size < TOLD_MAX) told.add(line)
      this.terminal.note(line, colour)
    }
    const nothing = (): void => {}
    return {
      debug: verbose ? (fields, message) => print('debug', fields, message) : nothing,
      info: verbose ? (fields, message) => print('info', fields, message) : nothing,
      warn: (fields, message) => print('warning', fields, message, 'yellow'),
      error: (fields, message) => print('error', fields, message, 'red'),
    }
  }

  /** The exit code of an interrupted command. */
  get interruptCode(): ExitCode {
    return this.io.interrupt.reason === EXIT.terminated ? EXIT.terminated : EXIT.interrupted
  }
}

interface Lacking {
  readonly place: DatabasePlace
  /** Those that are on their way. */
  readonly pending: number
  /** Those that the place refused for good. */
  readonly refused: number
}

function pendingOf(history: ChatHistory): readonly Lacking[] {
  const { places } = history.status()
  return DATABASE_PLACES.map((place) => {
    const { pending, quarantined } = places[place]
    return { place, pending: pending - quarantined, refused: quarantined }
  }).filter(({ pending, refused }) => pending + refused > 0)
}

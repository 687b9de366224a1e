import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { ChatHistoryOptions, Receipt } from '../../../src/index.ts'
import type { BuiltCli } from '../../integration/cli-process.ts'

const PROGRAM = fileURLToPath(new URL('./store-child.mjs', import.meta.url))

export interface ChildSave {
  readonly conversation: string
  readonly receipt: Receipt
  readonly content: string
}

/** A process of its own that saves, and prints each receipt as soon as it has it. */
export class StoreChild {
  readonly saves: ChildSave[] = []
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #onSave: () => void = () => {}

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'close')
    createInterface({ input: child.stdout! }).on('line', (line) => {
      // The last line may be torn: it was being printed. Its save counts as not acknowledged.
      if (!line.endsWith('}')) return
      this.saves.push(JSON.parse(line) as ChildSave)
      this.#onSave()
    })
  }

  /** The compiled package on plain Node, as a user runs it. */
  static start(built: BuiltCli, options: ChatHistoryOptions, name: string): StoreChild {
    const args = [PROGRAM, built.entry, JSON.stringify(options), name]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    return new StoreChild(child)
  }

  /** Resolves when this many saves were acknowledged, or rejects when the process ends before. */
  async acknowledged(count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#onSave = () => {
        if (this.saves.length >= count) resolve()
      }
    })
    const died = this.#ended.then(() => {
      throw new Error(`the process ended after ${this.saves.length} saves`)
    })
    await Promise.race([reached, died])
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

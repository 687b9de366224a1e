import { checkSignal } from '../../backend/check-signal.ts'
import { invalid, messageOf, StorageError } from '../../core/errors.ts'
import { showValue } from '../../core/show-value.ts'
import type { ChatMessage } from '../message.ts'
import type { ResolvedWindow } from './window-options.ts'

/** Calls `countTokens` for messages, one after another, and refuses what is no number of tokens. */
export class TokenCounter {
  readonly #count: ResolvedWindow['countTokens']
  readonly #signal: AbortSignal | undefined

  constructor({ countTokens, signal }: ResolvedWindow) {
    this.#count = countTokens
    this.#signal = signal
  }

  /** The tokens of these messages; 0 where nobody counts. */
  async sum(messages: readonly { readonly message: ChatMessage }[]): Promise<number> {
    let sum = 0
    for (const { message } of messages) sum += await this.#tokensOf(message)
    return sum
  }

  /** @throws StorageError `INVALID_ARGUMENT` that names the message, `TIMEOUT` after an abort. */
  async #tokensOf(message: ChatMessage): Promise<number> {
    if (this.#count === undefined) return 0
    checkSignal(this.#signal)
    const tokens = await this.#answer(this.#count, message)
    if (typeof tokens === 'number' && tokens >= 0 && tokens <= Number.MAX_SAFE_INTEGER) {
      return tokens
    }
    throw invalid(
      `countTokens of message ${JSON.stringify(message.id)} must give a finite number of at least 0, got ${showValue(tokens)}`,
    )
  }

  async #answer(
    count: NonNullable<ResolvedWindow['countTokens']>,
    message: ChatMessage,
  ): Promise<unknown> {
    try {
      const tokens = count(message)
      return typeof tokens === 'number' ? tokens : await unlessAborted(tokens, this.#signal)
    } catch (error) {
      checkSignal(this.#signal)
      const id = JSON.stringify(message.id)
      const text = `countTokens failed for message ${id}: ${messageOf(error)}`
      throw new StorageError('INVALID_ARGUMENT', text, { cause: error })
    }
  }
}

/** The outcome of the promise, or a rejection as soon as the signal aborts. */
async function unlessAborted(
  promise: PromiseLike<unknown>,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  if (signal === undefined) return await promise
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new Error('aborted'))
    signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

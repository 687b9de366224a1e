import type { Receipt } from '../../chat/message.ts'
import { BadLine } from '../jsonl/bad-line.ts'
import { parseLine, type ParsedLine } from '../formats/parse-line.ts'
import type { ImportedConversation } from '../jsonl/parse-conversation.ts'
import type { Line } from '../jsonl/read-lines.ts'
import { ContentGathering, renamed, type WholeContent } from './content-lines.ts'
import { importConversation, type ImportTarget } from './import-conversation.ts'
import type { ImportProblem, ImportReport, ProblemPlace } from './import-report.ts'
import { ImportTally } from './import-tally.ts'
import { isTemporary, retry } from './retry.ts'

/** Conversations that are being saved at the same time. */
const CONVERSATIONS_IN_FLIGHT_MAX = 16
/** Bytes of their lines; a longer line is imported alone. */
const BYTES_IN_FLIGHT_MAX: number = 64 * 1024 * 1024

export interface ImportLinesOptions {
  readonly lines: AsyncIterable<Line>
  readonly target: ImportTarget
  /** Default: whatever form a line is in. */
  readonly parse?: (text: string) => ParsedLine
  /** Stop at the first problem. */
  readonly strict: boolean
  /** How long a save is repeated while the store is out of reach. Milliseconds. */
  readonly retryForMs: number
  /** Aborted by the caller to stop, and by the import itself so that nothing waits for input. */
  readonly stop: AbortController
  readonly isNew: (receipt: Receipt) => boolean
  readonly onProblem: (problem: ImportProblem) => void
  readonly onProgress: (progress: ImportProgress) => void
  readonly onRetry: (error: unknown, delayMs: number) => void
}

export interface ImportProgress {
  readonly bytes: number
  readonly conversations: number
  readonly messages: number
}

export interface ImportOutcome {
  readonly report: ImportReport
  /** What ended the import early, if it was not the caller or `strict`. */
  readonly failure?: unknown
}

/** Imports line by line: several conversations at a time, never one conversation twice at a time. */
export async function importLines(options: ImportLinesOptions): Promise<ImportOutcome> {
  return await new ImportRun(options).run()
}

class ImportRun {
  readonly #options: ImportLinesOptions
  readonly #tally: ImportTally
  readonly #running = new Map<string, Promise<void>>()
  /** By their numbers, how many conversations of them are not through. */
  readonly #openLines = new Map<number, number>()
  readonly #gathering = new ContentGathering()
  /** References that are others here: where contents are encrypted, with other keys. */
  readonly #refs = new Map<string, string>()
  #bytesRunning = 0
  #bytesDone = 0
  #linesRead = 0
  #unit: ImportReport['unit'] = 'line'
  #ended = false
  #failure: { readonly error: unknown } | undefined

  constructor(options: ImportLinesOptions) {
    this.#options = options
    const { isNew, onProblem, strict, stop } = options
    this.#tally = new ImportTally({
      isNew,
      onProblem(problem) {
        onProblem(problem)
        if (strict) stop.abort()
      },
    })
  }

  async run(): Promise<ImportOutcome> {
    try {
      for await (const line of this.#options.lines) {
        await this.#take(line)
        if (this.#isStopped()) break
      }
      this.#ended = !this.#isStopped()
      if (this.#ended) this.#endContent({ number: this.#linesRead, bytes: 0, text: '' })
    } catch (error) {
      // Stopping destroys the input stream, which reading it then reports.
      if (!this.#isStopped()) this.#fail(error)
    }
    await Promise.all(this.#running.values())
    return {
      report: { ...this.#tally.report(this.#stoppedAt()), unit: this.#unit },
      ...(this.#failure !== undefined && { failure: this.#failure.error }),
    }
  }

  async #take(line: Line): Promise<void> {
    if (line.where !== undefined) this.#unit = 'conversation'
    if (!('problem' in line) && ContentGathering.isLine(line.text)) {
      await this.#takeContent(line)
      return
    }
    const parsed = this.#parse(line)
    const conversations = parsed?.conversations ?? []
    if (conversations.length > 0) {
      this.#openLines.set(line.number, conversations.length)
      for (const [i, read] of conversations.entries()) {
        const conversation = { ...read, messages: renamed(read.messages, this.#refs) }
        // The bytes of a line count once, however many conversations it has.
        const bytes = i === 0 ? line.bytes : 0
        await this.#room(conversation, bytes)
        if (this.#isStopped()) return
        this.#start(conversation, { ...line, bytes })
      }
    } else {
      this.#bytesDone += line.bytes
    }
    this.#linesRead = line.number
  }

  /** Saved before the lines behind it, which may refer to it. */
  async #takeContent(line: Line & { readonly text: string }): Promise<void> {
    this.#linesRead = line.number
    this.#bytesDone += line.bytes
    let content: WholeContent | undefined
    try {
      content = this.#gathering.take(line.text)
    } catch (error) {
      this.#bad(line, error)
    }
    if (content === undefined) return
    const { ref, mediaType, parts } = content
    const { target, retryForMs, stop, onRetry } = this.#options
    const save = (): Promise<{ readonly ref: string }> =>
      target.saveContent(parts, mediaType === undefined ? {} : { mediaType })
    const saved = await retry(save, { retryForMs, signal: stop.signal, onRetry })
    if (saved.ref !== ref) this.#refs.set(ref, saved.ref)
    this.#tally.content()
  }

  /** What began and has no end is told at the line that stands where it should go on. */
  #endContent(line: Line): void {
    try {
      this.#gathering.end()
    } catch (error) {
      this.#bad(line, error)
    }
  }

  #bad(line: Line, error: unknown): void {
    if (!(error instanceof BadLine)) throw error
    this.#openLines.set(line.number, 1)
    this.#tally.problem({ ...placeOf(line), kind: 'bad-line', reason: error.message })
    if (!this.#options.strict) this.#openLines.delete(line.number)
  }

  #parse(line: Line): ParsedLine | undefined {
    const place = placeOf(line)
    this.#endContent(line)
    if (this.#isStopped()) return undefined
    try {
      if ('problem' in line) throw new BadLine(line.problem)
      const { parse = parseLine } = this.#options
      const parsed = parse(line.text)
      this.#tally.read(parsed)
      const conversationId = parsed.conversations[0]?.conversationId
      for (const { index, id, reason } of parsed.refused) {
        this.#tally.problem({
          ...place,
          ...(conversationId !== undefined && { conversationId }),
          message: index,
          ...(id !== undefined && { id }),
          kind: 'refused',
          reason,
        })
      }
      return parsed
    } catch (error) {
      this.#bad(line, error)
      return undefined
    }
  }

  /** Waits until one more may run. Two lines with one conversation follow each other, and a branch its conversation. */
  async #room({ conversationId, branchOf }: ImportedConversation, bytes: number): Promise<void> {
    while (
      this.#running.has(conversationId) ||
      (branchOf !== undefined && this.#running.has(branchOf.conversationId)) ||
      this.#running.size >= CONVERSATIONS_IN_FLIGHT_MAX ||
      (this.#running.size > 0 && this.#bytesRunning + bytes > BYTES_IN_FLIGHT_MAX)
    ) {
      await Promise.race(this.#running.values())
    }
  }

  #start(conversation: ImportedConversation, line: Line): void {
    const { conversationId } = conversation
    this.#bytesRunning += line.bytes
    const task = this.#import(conversation, line).finally(() => {
      this.#running.delete(conversationId)
      this.#bytesRunning -= line.bytes
      this.#bytesDone += line.bytes
      this.#options.onProgress({
        bytes: this.#bytesDone,
        conversations: this.#tally.conversations,
        messages: this.#tally.messages,
      })
    })
    this.#running.set(conversationId, task)
  }

  async #import(conversation: ImportedConversation, line: Line): Promise<void> {
    const { target, retryForMs, stop, onRetry } = this.#options
    try {
      const finished = await importConversation(conversation, {
        target,
        tally: this.#tally,
        place: placeOf(line),
        retry: (action) => retry(action, { retryForMs, signal: stop.signal, onRetry }),
        isStopped: () => this.#isStopped(),
      })
      if (finished) this.#close(line.number)
    } catch (error) {
      // Who stops while the store is out of reach has not failed: the line stays open.
      if (!(this.#isStopped() && isTemporary(error))) this.#fail(error)
    }
  }

  #close(line: number): void {
    const open = this.#openLines.get(line)! - 1
    if (open === 0) this.#openLines.delete(line)
    else this.#openLines.set(line, open)
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#options.stop.abort()
  }

  #isStopped(): boolean {
    return this.#options.stop.signal.aborted
  }

  #stoppedAt(): number | undefined {
    if (this.#openLines.size > 0) return Math.min(...this.#openLines.keys())
    return this.#ended ? undefined : this.#linesRead + 1
  }
}

function placeOf({ number, where }: Line): ProblemPlace {
  return { line: number, ...(where !== undefined && { where }) }
}

import type { Receipt } from '../../chat/message.ts'
import type { ImportFormat } from '../formats/format.ts'
import type { ParsedLine } from '../formats/parse-line.ts'
import type { ImportProblem, ImportReport } from './import-report.ts'

/** Problems that are kept with their text: a file that is bad throughout must not fill the memory. */
const PROBLEMS_MAX = 1_000
/** Ignored fields that are kept by name, and how much of a name, for the same reason. */
const FIELDS_MAX = 100
const FIELD_CHARS_MAX = 200

export interface ImportTallyOptions {
  readonly onProblem: (problem: ImportProblem) => void
  /** Tells whether this import made the message, or found it there. */
  readonly isNew: (receipt: Receipt) => boolean
}

/** Counts what an import does. */
export class ImportTally {
  readonly #options: ImportTallyOptions
  readonly #startedAt = performance.now()
  readonly #problems: ImportProblem[] = []
  readonly #counts = { 'bad-line': 0, conflict: 0, refused: 0 }
  readonly #ignored = new Map<string, number>()
  readonly #formats = new Map<ImportFormat, number>()
  readonly #leftOut = new Map<string, number>()
  #branches = 0
  #conversations = 0
  #empty = 0
  #new = 0
  #alreadyThere = 0
  #singleCopy = 0
  #contents = 0

  constructor(options: ImportTallyOptions) {
    this.#options = options
  }

  get messages(): number {
    return this.#new + this.#alreadyThere
  }

  get conversations(): number {
    return this.#conversations
  }

  get problems(): number {
    return this.#counts['bad-line'] + this.#counts.conflict + this.#counts.refused
  }

  saved(receipts: readonly Receipt[]): void {
    for (const receipt of receipts) {
      if (this.#options.isNew(receipt)) this.#new++
      else this.#alreadyThere++
      if (receipt.copies.length < 2) this.#singleCopy++
    }
  }

  /** A content was saved, or found there. */
  content(): void {
    this.#contents++
  }

  /** The store refused to save it, because it has the very same message. */
  recognised(): void {
    this.#alreadyThere++
  }

  finished(messages: number): void {
    this.#conversations++
    if (messages === 0) this.#empty++
  }

  /** A line was understood. */
  read({ format, conversations, leftOut, ignored }: ParsedLine): void {
    add(this.#formats, format, 1)
    this.#branches += Math.max(conversations.length - 1, 0)
    for (const [what, count] of leftOut) this.leftOut(what, count)
    this.ignored(ignored)
  }

  leftOut(what: string, count = 1): void {
    add(this.#leftOut, what, count)
  }

  ignored(fields: readonly string[]): void {
    for (const given of fields) {
      const field = given.slice(0, FIELD_CHARS_MAX).toWellFormed()
      const count = this.#ignored.get(field) ?? 0
      if (count > 0 || this.#ignored.size < FIELDS_MAX) this.#ignored.set(field, count + 1)
    }
  }

  problem(problem: ImportProblem): void {
    this.#counts[problem.kind]++
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem)
    this.#options.onProblem(problem)
  }

  report(stoppedAtLine: number | undefined): Omit<ImportReport, 'unit'> {
    return {
      conversations: this.#conversations,
      emptyConversations: this.#empty,
      messages: {
        acknowledged: this.messages,
        new: this.#new,
        alreadyThere: this.#alreadyThere,
        conflicts: this.#counts.conflict,
        refused: this.#counts.refused,
        singleCopy: this.#singleCopy,
      },
      contents: this.#contents,
      badLines: this.#counts['bad-line'],
      formats: Object.fromEntries(this.#formats),
      branches: this.#branches,
      leftOut: Object.fromEntries(this.#leftOut),
      ignoredFields: Object.fromEntries(this.#ignored),
      problems: this.#problems,
      seconds: Math.round(performance.now() - this.#startedAt) / 1000,
      ...(stoppedAtLine !== undefined && { stoppedAtLine }),
    }
  }
}

function add<K>(counts: Map<K, number>, key: K, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count)
}

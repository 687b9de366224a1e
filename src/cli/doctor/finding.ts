import { messageOf, isStorageError } from '../../core/errors.ts'
import { redactText, type Secrets } from '../../core/redact.ts'
import { adviceFor } from './advice-for.ts'

/** What a finding is about; `store`: all places together. */
export type FindingPlace = 'primary' | 'backup' | 'wal' | 'cache' | 'store'

/** `ok` and `note`: nothing to mend. `warning`: a promise is weaker. `error`: the place cannot be used. */
export type FindingLevel = 'ok' | 'note' | 'warning' | 'error'

/** What was found. Part of the public interface: `docs/command-line.md` has the table. */
export type FindingCode =
  | 'clock-off'
  | 'connected'
  | 'damaged'
  | 'dead-letters'
  | 'durable'
  | 'evicting'
  | 'few-bytes-free'
  | 'indexed'
  | 'network-disk'
  | 'new'
  | 'not-durable'
  | 'not-encrypted'
  | 'not-examined'
  | 'not-indexed'
  | 'not-verified'
  | 'old-schema'
  | 'one-disk'
  | 'one-server'
  | 'pending'
  | 'plain-text'
  | 'read-only'
  | 'same-database'
  | 'searchable'
  | 'too-old'
  | 'unreachable'
  | 'unusable'

export interface Finding {
  readonly place: FindingPlace
  readonly level: FindingLevel
  readonly code: FindingCode
  readonly text: string
  /** What to do about it. */
  readonly advice?: string
}

/** Gathers what is found of one place. Passwords are taken out of all of it. */
export class Findings {
  readonly list: Finding[] = []
  readonly #place: FindingPlace
  readonly #secrets: Secrets

  constructor(place: FindingPlace, secrets: Secrets) {
    this.#place = place
    this.#secrets = secrets
  }

  ok(code: FindingCode, text: string): void {
    this.#add('ok', code, text)
  }

  note(code: FindingCode, text: string, advice?: string): void {
    this.#add('note', code, text, advice)
  }

  warn(code: FindingCode, text: string, advice: string): void {
    this.#add('warning', code, text, advice)
  }

  fail(code: FindingCode, text: string, advice?: string): void {
    this.#add('error', code, text, advice)
  }

  /** An examination that ended early. */
  failed(error: unknown): void {
    const isAway = isStorageError(error)
      ? ['CONNECTION', 'UNAVAILABLE', 'TIMEOUT'].includes(error.code)
      : true
    const message = messageOf(error)
    this.fail(isAway ? 'unreachable' : 'unusable', message, adviceFor(message))
  }

  #add(level: FindingLevel, code: FindingCode, text: string, advice?: string): void {
    const tell = (words: string): string => redactText(words, this.#secrets)
    this.list.push({
      place: this.#place,
      level,
      code,
      text: tell(text),
      ...(advice !== undefined && { advice: tell(advice) }),
    })
  }
}

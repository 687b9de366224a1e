/*
 * How a message names content: by a text of this form, wherever it stands. The name is made of the hash of what it
 * names. Where contents are encrypted it is keyed, since names are stored plain and a bare hash says what to guess.
 */
import { invalid } from '../../core/errors.ts'
import { showValue } from '../../core/show-value.ts'

/** A name of content: `content:sha256-…`, or `content:hmac-KEY-…`. */
export type ContentRef = `content:${string}`

const PREFIX = 'content:'
const PATTERN = /^content:(?:sha256|hmac-[A-Za-z0-9_-]{1,32})-[0-9a-f]{64}$/

export function refOf(name: string): ContentRef {
  return `${PREFIX}${name}`
}

/** The name in a reference. */
export function nameIn(ref: string): string {
  return ref.slice(PREFIX.length)
}

/** @throws StorageError `INVALID_ARGUMENT` for what is no reference. */
export function checkRef(ref: unknown): asserts ref is ContentRef {
  if (isRef(ref)) return
  throw invalid(`ref must be what saveContent gave, got ${showValue(ref)}`)
}

function isRef(value: unknown): value is ContentRef {
  return typeof value === 'string' && value.startsWith(PREFIX) && PATTERN.test(value)
}

/**
 * The references in a message, whatever they are nested in; each once. What is said is none: neither a content
 * that is text nor the `text` of a part, which may be anybody's.
 */
export function refsIn(message: object): Set<ContentRef> {
  const found = new Set<ContentRef>()
  const fields = message as { readonly content?: unknown }
  const isSaid = typeof fields.content === 'string'
  look(isSaid ? { ...fields, content: '' } : fields, found)
  return found
}

function look(value: unknown, found: Set<ContentRef>): void {
  if (isRef(value)) found.add(value)
  else if (typeof value === 'object' && value !== null) {
    for (const [field, inner] of Object.entries(value)) {
      if (field !== 'text' || typeof inner !== 'string') look(inner, found)
    }
  }
}

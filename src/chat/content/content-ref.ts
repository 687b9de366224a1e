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
  const { content } = message as { readonly content?: unknown }
  const waiting: unknown[] = [typeof content === 'string' ? { ...message, content: '' } : message]
  // What is nested in itself, or too deeply, is refused later: it is looked at once.
  const seen = new Set<unknown>()
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (isRef(value)) found.add(value)
    if (typeof value !== 'object' || value === null || seen.has(value)) continue
    seen.add(value)
    for (const [field, inner] of Object.entries(value)) {
      const isSaid = field === 'text' && typeof inner === 'string'
      if (inner !== undefined && !isSaid) waiting.push(inner)
    }
  }
  return found
}

import { invalid } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'
import { checkFields } from '../../core/options.ts'

/** What a conversation may keep. */
export interface RetentionLimits {
  /**
   * Messages that were saved longer ago than this are removed. Milliseconds, at least 1000. Left out:
   * no limit.
   */
  readonly maxAge?: number
  /**
   * The latest messages that are kept, at least 1; and the rest of the group of tool calls that the
   * first of them belongs to. Left out: no limit.
   */
  readonly maxMessages?: number
}

/** What a tenant keeps, and how often it is seen to. */
export interface RetentionOptions extends RetentionLimits {
  /**
   * Other limits for single conversations, in place of those above: called with each id in each pass.
   * Undefined: those above hold; `{}`: none.
   */
  readonly forConversation?: (conversationId: string) => RetentionLimits | undefined
  /** From the end of one pass to the next one. Milliseconds, 1000 to a day. Default: an hour. */
  readonly interval?: number
}

/** `RetentionOptions` with their defaults. */
export interface ResolvedRetention {
  readonly limitsOf: (conversationId: string) => RetentionLimits
  readonly intervalMs: number
  /** What all conversations keep is limited by age. */
  readonly usesAge: boolean
}

const DAY_MS = 86_400_000
const LIMIT_FIELDS = ['maxAge', 'maxMessages'] as const

/** Fills the defaults in and refuses what cannot work, naming the field. */
export function resolveRetention(options: RetentionOptions): ResolvedRetention {
  checkFields('retention', options, [...LIMIT_FIELDS, 'forConversation', 'interval'])
  const { maxAge, maxMessages, forConversation, interval = DAY_MS / 24 } = options
  const limits = checkLimits('retention', {
    ...(maxAge !== undefined && { maxAge }),
    ...(maxMessages !== undefined && { maxMessages }),
  })
  if (forConversation !== undefined && typeof forConversation !== 'function') {
    throw invalid('retention.forConversation must be a function')
  }
  if (Object.keys(limits).length === 0 && forConversation === undefined) {
    throw invalid('retention must have maxAge, maxMessages or forConversation')
  }
  return {
    limitsOf: (id) => {
      const own = forConversation?.(id)
      return own === undefined ? limits : checkLimits('retention.forConversation()', own)
    },
    usesAge: limits.maxAge !== undefined,
    intervalMs: checkInteger('retention.interval', interval, 1_000, DAY_MS),
  }
}

export function checkLimits(name: string, limits: RetentionLimits): RetentionLimits {
  checkFields(name, limits, LIMIT_FIELDS)
  const { maxAge, maxMessages } = limits
  const max = Number.MAX_SAFE_INTEGER
  if (maxAge !== undefined) checkInteger(`${name}.maxAge`, maxAge, 1_000, max)
  if (maxMessages !== undefined) checkInteger(`${name}.maxMessages`, maxMessages, 1, max)
  return limits
}

import { invalid } from '../../core/errors.ts'
import { byDefault, callback, integer, ms } from '../../core/option-kinds.ts'
import { resolve, type Option, type OptionTable } from '../../core/options.ts'
import { DAY_MS } from '../../core/time.ts'

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

const LIMIT_OPTIONS: OptionTable<RetentionLimits> = {
  maxAge: ms(1_000, Number.MAX_SAFE_INTEGER),
  maxMessages: integer(1, Number.MAX_SAFE_INTEGER),
}

export const RETENTION_OPTIONS: OptionTable<RetentionOptions, 'interval'> = {
  ...LIMIT_OPTIONS,
  forConversation: callback(),
  interval: byDefault(DAY_MS / 24, ms(1_000, DAY_MS)),
}

/** The option as it is used: with its defaults. */
export const RETENTION_OPTION: Option<ResolvedRetention> = {
  takes: 'an object',
  fields: RETENTION_OPTIONS,
  check: (path, given) => resolveRetention(given as RetentionOptions, path),
}

/** Fills the defaults in and refuses what cannot work, naming the field. */
function resolveRetention(options: RetentionOptions, path = 'retention'): ResolvedRetention {
  const { forConversation, interval, ...limits } = resolve(path, options, RETENTION_OPTIONS)
  if (Object.keys(limits).length === 0 && forConversation === undefined) {
    throw invalid(`${path} must have maxAge, maxMessages or forConversation`)
  }
  return {
    limitsOf: (id) => {
      const own = forConversation?.(id)
      return own === undefined ? limits : resolve(`${path}.forConversation()`, own, LIMIT_OPTIONS)
    },
    usesAge: limits.maxAge !== undefined,
    intervalMs: interval,
  }
}

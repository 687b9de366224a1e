import { reading } from '../../core/given.ts'
import { encodeJson, isPlain } from '../../core/json.ts'
import { invalid } from '../../core/errors.ts'
import { checkPrefix, checkText } from '../../core/limits.ts'
import { boolean, byDefault, oneOf, secret, text, value } from '../../core/option-kinds.ts'
import type { Option, OptionTable } from '../../core/options.ts'
import { isDateTime } from '../../core/iso-time.ts'
import { showKind, showValue } from '../../core/show-value.ts'
import { isStamp, type Stamp } from '../../core/stamp.ts'
import { LIMIT } from '../history-options.ts'
import { OWNER_BYTES_MAX } from '../keys.ts'

/** Longest title, in UTF-8 bytes. */
export const TITLE_BYTES_MAX = 2_048
/** Longest name of a field of a record's metadata, in UTF-8 bytes. */
export const METADATA_NAME_BYTES_MAX = 200
/** Longest JSON text of a field's value, in UTF-8 bytes. */
export const METADATA_VALUE_BYTES_MAX = 65_536
/** Most fields of a record's metadata. */
export const METADATA_FIELDS_MAX = 100

/** What is known of a new conversation. */
export interface NewConversation {
  /** Text of 1 to 2048 bytes. */
  readonly title?: string
  /**
   * Whose conversation it is, 1 to 256 bytes: a user's id, by which `listConversations` finds it. It is
   * part of a key, which encryption does not hide and an erase leaves.
   */
  readonly owner?: string
  /** At most 100 fields: names of 1 to 200 bytes, values of JSON of at most 65,536 bytes. Null: no such field. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** RFC 3339. Of a time that has passed, for a conversation that began elsewhere. Default: now. */
  readonly createdAt?: string
}

/** Fields to change; the others stay. */
export interface ConversationPatch {
  /** Null: none from now on. */
  readonly title?: string | null
  /** Null: nobody's from now on. */
  readonly owner?: string | null
  /** Merged field by field; null removes one. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** How a record is updated. */
export interface UpdateConversationOptions {
  /**
   * The `stamp` of the record as it was read: with any later change of it the update is `CONFLICT`, without
   * effect. The primary alone decides. Default: whatever stands is merged with.
   */
  readonly ifStamp?: string
}

/** Which conversations are listed. */
export interface ListConversationsOptions {
  /** Conversations of the page, 1 to 1000. Default: 50. */
  readonly limit?: number
  /** The `nextCursor` of the page before, which was made with the same other options. */
  readonly before?: string
  /** Only those of this owner. */
  readonly owner?: string
  /** Only those whose title begins with this; every character is literal. */
  readonly titlePrefix?: string
  /** Only those with these values in their metadata: texts, numbers and booleans. */
  readonly metadata?: Readonly<Record<string, string | number | boolean>>
  /**
   * `activity`: the latest message first. `created`: the newest conversation first, only those with a
   * record. Default: `activity`.
   */
  readonly orderBy?: 'activity' | 'created'
  /** Count the messages of each, which costs as much as there are. Default: false. */
  readonly countMessages?: boolean
}

/** Which conversations are counted. */
export interface CountConversationsOptions {
  /** Only those of this owner. */
  readonly owner?: string
}

const TITLE: Option<string> = text(TITLE_BYTES_MAX)
export const OWNER: Option<string> = text(OWNER_BYTES_MAX)

const DATE_TIME: Option<string> = value('a time of RFC 3339', isDateTime)

/** Null too. */
function orNull<Value>(option: Option<Value>): Option<Value | null> {
  return {
    takes: `${option.takes}, or null`,
    check: (path, given) => (given === null ? null : option.check(path, given)),
  }
}

const METADATA: Option<Readonly<Record<string, unknown>>> = {
  takes: `an object of at most ${METADATA_FIELDS_MAX} fields`,
  check(path, given) {
    const fields = fieldsOf(path, given, METADATA_NAME_BYTES_MAX)
    for (const [name, field] of fields) {
      const bytes = Buffer.byteLength(encodeJson(field, `${path}.${name}`))
      if (bytes <= METADATA_VALUE_BYTES_MAX) continue
      const limit = `at most ${METADATA_VALUE_BYTES_MAX} bytes of JSON`
      throw invalid(`${path}.${name} must be ${limit}, got ${bytes}`)
    }
    return withoutPrototype(fields)
  },
}

const WANTED_METADATA: Option<Readonly<Record<string, string | number | boolean>>> = {
  takes: `an object of at most ${METADATA_FIELDS_MAX} texts, numbers and booleans`,
  check(path, given) {
    const fields = fieldsOf(path, given, METADATA_NAME_BYTES_MAX)
    for (const [name, field] of fields) {
      if (['string', 'number', 'boolean'].includes(typeof field)) continue
      throw invalid(
        `${path}.${name} must be a text, a number or a boolean, got ${showValue(field)}`,
      )
    }
    return withoutPrototype(fields) as Record<string, string | number | boolean>
  },
}

/** The fields of a plain object that are not `undefined`, read once. */
function fieldsOf(path: string, given: unknown, nameBytesMax: number): [string, unknown][] {
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
  if (!isObject || !isPlain(given)) {
    throw invalid(`${path} must be a plain object, got ${showKind(given)}`)
  }
  const entries = reading(path, () => Object.entries(given))
  const fields = entries.filter(([, field]) => field !== undefined)
  if (fields.length > METADATA_FIELDS_MAX) {
    throw invalid(`${path} must have at most ${METADATA_FIELDS_MAX} fields, got ${fields.length}`)
  }
  for (const [name] of fields) checkText(`a name in ${path}`, name, nameBytesMax)
  return fields
}

/** Without a prototype `__proto__` is a name like any other. */
function withoutPrototype(fields: readonly [string, unknown][]): Record<string, unknown> {
  const made = Object.create(null) as Record<string, unknown>
  for (const [name, field] of fields) made[name] = field
  return made
}

const TITLE_PREFIX: Option<string> = {
  takes: `text of at most ${TITLE_BYTES_MAX} bytes`,
  check(path, given) {
    checkPrefix(path, given, TITLE_BYTES_MAX)
    return given
  },
}

export const NEW_CONVERSATION: OptionTable<NewConversation> = {
  title: TITLE,
  owner: OWNER,
  metadata: METADATA,
  createdAt: DATE_TIME,
}

export const PATCH: OptionTable<ConversationPatch> = {
  title: orNull(TITLE),
  owner: orNull(OWNER),
  metadata: METADATA,
}

const STAMP: Option<string> = value<Stamp>('the stamp of a conversation', isStamp)

export const UPDATE_CONVERSATION: OptionTable<UpdateConversationOptions> = { ifStamp: STAMP }

export const LIST_CONVERSATIONS: OptionTable<
  ListConversationsOptions,
  'limit' | 'orderBy' | 'countMessages'
> = {
  limit: LIMIT,
  before: secret(),
  owner: OWNER,
  titlePrefix: TITLE_PREFIX,
  metadata: WANTED_METADATA,
  orderBy: byDefault('activity', oneOf('activity', 'created')),
  countMessages: byDefault(false, boolean()),
}

export const COUNT_CONVERSATIONS: OptionTable<CountConversationsOptions> = { owner: OWNER }

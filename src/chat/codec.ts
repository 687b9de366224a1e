import { invalid, StorageError } from '../core/errors.ts'
import { classOf, decodeJson, encodeJson, isJson, isPlain, type JsonText } from '../core/json.ts'
import { reading } from '../core/given.ts'
import { itemValue, type Item } from '../core/merge.ts'
import { showValue } from '../core/show-value.ts'
import { STAMP_MIN, stampMs } from '../core/stamp.ts'
import { isDateTime, isoTime } from '../core/iso-time.ts'
import { refuseMark } from './streams/stream-items.ts'
import { ROLES, type ChatMessage } from './message.ts'

/** What is stored of a message, or of an item without a role. Any field of JSON is kept. */
interface MessageBody {
  readonly role?: string
  readonly createdAt?: string
  readonly [field: string]: unknown
}

/** What is taken: messages, which have a role, or also items that have a `type` in its place. */
export type Taken = 'message' | 'item'

/** A message as text. Its id is not part of it: the store keeps it beside. */
export function encodeMessage(message: object, name = 'message', taken?: Taken): JsonText {
  return encodeJson(messageBody(message, name, taken), name)
}

/**
 * What is stored of a message: all of it but its id.
 *
 * @throws StorageError `INVALID_ARGUMENT` for a known field of another type than it has. That all of it
 * is JSON is for the encoding to check.
 */
export function messageBody(
  message: object,
  name = 'message',
  taken: Taken = 'message',
): MessageBody {
  return reading(name, () => {
    checkMessage(message, name, taken)
    const { id: _id, ...body } = message as MessageBody
    return body
  })
}

/**
 * Messages of frozen items: a cache in this process hands those to one read after the other. Only
 * messages without anything nested, which are copied by their fields. They go with their items.
 */
const decoded = new WeakMap<Item, ChatMessage>()

/** True for the text of a message: what `encodeMessage` makes, of this or of another release. */
export function isMessageText(text: JsonText): boolean {
  if (!isJson(text)) return false
  return isBody(decodeJson<unknown>(text))
}

/** What has neither a role nor a type was not written by `encodeMessage`. */
function isBody(body: unknown): body is MessageBody {
  if (!isObject(body)) return false
  return typeof body['role'] === 'string' || typeof body['type'] === 'string'
}

/**
 * Reads an item back, as an object of its own; undefined for one that is not visible.
 *
 * @throws StorageError `CORRUPT` for what no message has as its text.
 */
export function decodeMessage(item: Item): ChatMessage | undefined {
  const isKept = Object.isFrozen(item)
  const known = isKept ? decoded.get(item) : undefined
  if (known !== undefined) return { ...known }
  const value = itemValue(item)
  if (value === undefined) return undefined
  const body = decodeJson<unknown>(value)
  if (!isBody(body)) {
    throw new StorageError('CORRUPT', `message ${JSON.stringify(item.id)} is damaged`)
  }
  const message = asMessage(item, body)
  if (isKept && isFlat(message)) decoded.set(item, { ...message })
  return message
}

/** `{ id, ...body, createdAt }`, which would be half of the cost of reading a message. */
function asMessage(item: Item, body: MessageBody): ChatMessage {
  const createdAt = body.createdAt ?? savedAt(item)
  const message: Record<string, unknown> = { id: item.id }
  for (const field in body) {
    // Assigning this one would not make it a field.
    if (field === '__proto__') return { id: item.id, ...body, createdAt } as object as ChatMessage
    message[field] = body[field]
  }
  message['createdAt'] = createdAt
  return message as object as ChatMessage
}

function isFlat(message: ChatMessage): boolean {
  return Object.values(message).every((value) => typeof value !== 'object' || value === null)
}

/** The time in the position that the message was first saved at. ISO 8601. */
function savedAt({ appendedAt, position }: Item): string {
  const stamp = appendedAt ?? position
  return isoTime(stamp === STAMP_MIN ? 0 : stampMs(stamp))
}

function checkMessage(given: unknown, name: string, taken: Taken): asserts given is MessageBody {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid(`${name} must be an object, got ${given === null ? 'null' : typeof given}`)
  }
  // Copying the fields of an instance would leave out what its class makes of them.
  if (!isPlain(given)) throw invalid(`${name} must be a plain object, got ${classOf(given)}`)
  const message = given as MessageBody
  if (message.role === undefined && isString(message['type']) && message['type'] !== '') {
    if (taken === 'message') throw invalid(`${name} has no role: saveItems takes it`)
    checkOptional(message, name, 'createdAt', isDateTime, 'a time of RFC 3339')
    return
  }
  if (!ROLES.includes(message.role as string)) {
    const roles = ROLES.join(', ')
    const otherwise = taken === 'item' ? ', or left out beside a type' : ''
    throw invalid(
      `${name}.role must be one of ${roles}${otherwise}, got ${showValue(message.role)}`,
    )
  }
  refuseMark(message, name)
  checkContent(message, name)
  checkOptional(message, name, 'toolCalls', Array.isArray, 'an array')
  checkOptional(message, name, 'toolCallId', isString, 'a string')
  checkOptional(message, name, 'name', isString, 'a string')
  checkOptional(message, name, 'createdAt', isDateTime, 'a time of RFC 3339')
  checkOptional(message, name, 'metadata', isObject, 'an object')
}

/** Fields that a message may have and no content: it is kept left out. */
const IN_PLACE_OF_CONTENT = ['toolCalls', 'tool_calls', 'function_call', 'audio', 'refusal']

function checkContent(message: MessageBody, name: string): void {
  const { content, parts } = message
  if (typeof content === 'string' || content === null) return
  if (content === undefined && parts !== undefined) {
    if (Array.isArray(parts) && parts.every(isObject)) return
    throw invalid(`${name}.parts must be an array of objects, got ${showValue(parts)}`)
  }
  if (content === undefined && IN_PLACE_OF_CONTENT.some((field) => message[field] !== undefined)) {
    return
  }
  if (!Array.isArray(content)) {
    throw invalid(
      `${name}.content must be a string, an array of parts or null, got ${typeof content}`,
    )
  }
  content.forEach((part: unknown, i) => {
    if (!isObject(part) || typeof part['type'] !== 'string') {
      throw invalid(`${name}.content[${i}] must be an object with a type, got ${showValue(part)}`)
    }
  })
}

function checkOptional(
  message: MessageBody,
  name: string,
  field: string,
  isValid: (value: unknown) => boolean,
  what: string,
): void {
  const value = message[field]
  if (value === undefined || value === null || isValid(value)) return
  throw invalid(`${name}.${field} must be ${what}, got ${showValue(value)}`)
}

function isString(value: unknown): boolean {
  return typeof value === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

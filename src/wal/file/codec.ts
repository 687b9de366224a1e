/*
 * The payload of a frame: one atomic group. Integers are little-endian, text is UTF-8.
 *
 *   2      count of keys, then each key: 2 length, text
 *   2      count of operations, then each operation:
 *            1   kind: 1 set, 2 append, 3 edit, 4 remove, 5 delete
 *            1   bit 0: the position is the stamp; bit 1: the id is the position
 *            2   number of its key, from 0
 *           36   stamp, canonical text
 *           36   position, unless bit 0            (append, edit, remove)
 *          2+n   length and text of the id, unless bit 1   (append, edit, remove)
 *          4+n   length and text of the value      (set, append, edit)
 *
 * Keys come first: recovery reads them and passes over the values.
 */
import { invalid, StorageError } from '../../core/errors.ts'
import type { JsonText } from '../../core/json.ts'
import type { Operation, PutOperation } from '../../core/operation.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import { PAYLOAD_BYTES_MAX } from './frame.ts'
import type { KeyNames } from './key-names.ts'

const SET = 1
const APPEND = 2
const EDIT = 3
const REMOVE = 4
const DELETE = 5
const CHANGE_KINDS = { append: APPEND, edit: EDIT, remove: REMOVE } as const

const POSITION_IS_STAMP = 1
const ID_IS_POSITION = 2
const STAMP_BYTES = 36
const U16_MAX = 0xffff
/** Leaves room for the reason of a dead letter. */
const GROUP_PAYLOAD_BYTES_MAX = PAYLOAD_BYTES_MAX - 8192
/** Kind, flags, key number, stamp, position, lengths of id and value. */
const OPERATION_BYTES_MAX = 4 + 2 * STAMP_BYTES + 2 + 4

/** No fewer bytes than the group will take. Refuses a group that no frame can hold. */
export function payloadBytesMax(operations: readonly Operation[], keys: readonly string[]): number {
  let bytes = 4
  for (const key of keys) bytes += 2 + key.length * 3
  for (const operation of operations) {
    bytes += OPERATION_BYTES_MAX
    if (operation.kind === 'put') bytes += operation.id.length * 3
    if ('value' in operation) bytes += textBytesMax(operation.value)
  }
  if (bytes > GROUP_PAYLOAD_BYTES_MAX) {
    throw invalid(`a group must be at most ${GROUP_PAYLOAD_BYTES_MAX} bytes, got up to ${bytes}`)
  }
  return bytes
}

/** Writes the group at `start`; the buffer has room for `payloadBytesMax`. Returns its end. */
export function encodeGroup(
  buffer: Buffer,
  start: number,
  operations: readonly Operation[],
  keys: readonly string[],
): number {
  let at = buffer.writeUInt16LE(checkCount('keys', keys.length), start)
  for (const key of keys) at = writeShort(buffer, at, key)
  at = buffer.writeUInt16LE(checkCount('operations', operations.length), at)
  for (const operation of operations) {
    const key = keys.length === 1 ? 0 : keys.indexOf(operation.key)
    at = encodeOperation(buffer, at, operation, key)
  }
  return at
}

/** The operations of a payload. */
export function decodeGroup(buffer: Buffer, start: number): readonly Operation[] {
  const { keys, at: operationsAt } = readKeys(buffer, start)
  const count = buffer.readUInt16LE(operationsAt)
  const operations: Operation[] = []
  let at = operationsAt + 2
  for (let i = 0; i < count; i++) {
    const decoded = decodeOperation(buffer, at, keys)
    operations.push(decoded.operation)
    at = decoded.end
  }
  return operations
}

export interface Skimmed {
  readonly keys: readonly string[]
  /** The greatest stamp of the group. */
  readonly head: Stamp
}

/** The Unix milliseconds of a group's first stamp, without decoding anything. */
export function groupMs(buffer: Buffer, start: number): number {
  let at = start + 2
  for (let keys = buffer.readUInt16LE(start); keys > 0; keys--) at += 2 + buffer.readUInt16LE(at)
  // Behind the count of operations, and kind, flags and key of the first one.
  at += 2 + 4
  let ms = 0
  for (let i = 0; i < 13; i++) {
    // The ninth character of a stamp is a hyphen.
    if (i !== 8) ms = ms * 16 + hexDigit(buffer[at + i]!)
  }
  return ms
}

function hexDigit(code: number): number {
  return code <= 0x39 ? code - 0x30 : code - 0x57
}

/**
 * Keys and greatest stamp of a payload, without decoding its values. With `names` a key that comes
 * again is the same string as before, and costs less than a new one.
 */
export function skimGroup(buffer: Buffer, start: number, names?: KeyNames): Skimmed {
  const { keys, at: operationsAt } = readKeys(buffer, start, names)
  const count = buffer.readUInt16LE(operationsAt)
  let head: Stamp | undefined
  let at = operationsAt + 2
  for (let i = 0; i < count; i++) {
    head = maxStamp(head, readStamp(buffer, at + 4))
    // The end of the last one is of no interest, and most groups have one operation.
    if (i < count - 1) at = operationEnd(buffer, at)
  }
  return { keys, head: head! }
}

function encodeOperation(buffer: Buffer, start: number, operation: Operation, key: number): number {
  switch (operation.kind) {
    case 'set':
      return writeText(buffer, writeHead(buffer, start, SET, 0, key, operation), operation.value)
    case 'delete':
      return writeHead(buffer, start, DELETE, 0, key, operation)
    case 'put':
      return encodePut(buffer, start, operation, key)
  }
}

function encodePut(buffer: Buffer, start: number, operation: PutOperation, key: number): number {
  const samePosition = operation.position === operation.stamp
  const sameId = operation.id === (operation.position as string)
  const flags = (samePosition ? POSITION_IS_STAMP : 0) | (sameId ? ID_IS_POSITION : 0)
  let at = writeHead(buffer, start, CHANGE_KINDS[operation.change], flags, key, operation)
  if (!samePosition) at = writeStamp(buffer, at, operation.position)
  if (!sameId) at = writeShort(buffer, at, operation.id)
  return operation.change === 'remove' ? at : writeText(buffer, at, operation.value)
}

function writeHead(
  buffer: Buffer,
  start: number,
  kind: number,
  flags: number,
  key: number,
  { stamp }: Operation,
): number {
  buffer[start] = kind
  buffer[start + 1] = flags
  buffer.writeUInt16LE(key, start + 2)
  return writeStamp(buffer, start + 4, stamp)
}

function decodeOperation(
  buffer: Buffer,
  start: number,
  keys: readonly string[],
): { operation: Operation; end: number } {
  const kind = buffer[start]!
  const flags = buffer[start + 1]!
  const key = keys[buffer.readUInt16LE(start + 2)]!
  const stamp = readStamp(buffer, start + 4)
  let at = start + 4 + STAMP_BYTES
  if (kind === DELETE) return { operation: { kind: 'delete', key, stamp }, end: at }
  if (kind === SET) {
    const value = readText(buffer, at)
    return { operation: { kind: 'set', key, stamp, value: value.text }, end: value.end }
  }
  let position = stamp
  if ((flags & POSITION_IS_STAMP) === 0) {
    position = readStamp(buffer, at)
    at += STAMP_BYTES
  }
  let id: string = position
  if ((flags & ID_IS_POSITION) === 0) {
    const end = at + 2 + buffer.readUInt16LE(at)
    id = buffer.toString('utf8', at + 2, end)
    at = end
  }
  const put = { kind: 'put', key, id, position, stamp } as const
  if (kind === REMOVE) return { operation: { ...put, change: 'remove' }, end: at }
  if (kind !== APPEND && kind !== EDIT) throw unknownKind(kind)
  const { text: value, end } = readText(buffer, at)
  const change = kind === APPEND ? 'append' : 'edit'
  return { operation: { kind: 'put', change, key, id, position, stamp, value }, end }
}

function operationEnd(buffer: Buffer, start: number): number {
  const kind = buffer[start]!
  const flags = buffer[start + 1]!
  let at = start + 4 + STAMP_BYTES
  if (kind === DELETE) return at
  if (kind === SET) return at + 4 + buffer.readUInt32LE(at)
  if ((flags & POSITION_IS_STAMP) === 0) at += STAMP_BYTES
  if ((flags & ID_IS_POSITION) === 0) at += 2 + buffer.readUInt16LE(at)
  if (kind === REMOVE) return at
  if (kind !== APPEND && kind !== EDIT) throw unknownKind(kind)
  return at + 4 + buffer.readUInt32LE(at)
}

function readKeys(
  buffer: Buffer,
  start: number,
  names?: KeyNames,
): { keys: readonly string[]; at: number } {
  const count = buffer.readUInt16LE(start)
  const keys: string[] = []
  let at = start + 2
  for (let i = 0; i < count; i++) {
    const end = at + 2 + buffer.readUInt16LE(at)
    keys.push(names?.read(buffer, at + 2, end) ?? buffer.toString('utf8', at + 2, end))
    at = end
  }
  return { keys, at }
}

function writeStamp(buffer: Buffer, start: number, stamp: Stamp): number {
  if (stamp.length !== STAMP_BYTES) throw invalid(`stamp must be canonical, got ${stamp}`)
  buffer.write(stamp, start, STAMP_BYTES, 'latin1')
  return start + STAMP_BYTES
}

function readStamp(buffer: Buffer, start: number): Stamp {
  return buffer.toString('latin1', start, start + STAMP_BYTES) as Stamp
}

function writeShort(buffer: Buffer, start: number, text: string): number {
  const bytes = buffer.write(checkText(text), start + 2, 'utf8')
  if (bytes > U16_MAX) throw invalid(`key or id must be at most ${U16_MAX} bytes, got ${bytes}`)
  buffer.writeUInt16LE(bytes, start)
  return start + 2 + bytes
}

function writeText(buffer: Buffer, start: number, text: string): number {
  const bytes = buffer.write(checkText(text), start + 4, 'utf8')
  buffer.writeUInt32LE(bytes, start)
  return start + 4 + bytes
}

function readText(buffer: Buffer, start: number): { text: JsonText; end: number } {
  const end = start + 4 + buffer.readUInt32LE(start)
  return { text: buffer.toString('utf8', start + 4, end) as JsonText, end }
}

/** `JSON.stringify` escapes lone surrogates; raw ones would come back as other characters. */
function checkText(text: string): string {
  if (!text.isWellFormed()) throw invalid('text must not contain a lone surrogate')
  return text
}

/** A UTF-16 unit is at most three bytes; long texts are worth counting. */
function textBytesMax(text: string): number {
  return text.length < 16_384 ? text.length * 3 : Buffer.byteLength(text)
}

function checkCount(name: string, count: number): number {
  if (count < 1 || count > U16_MAX) {
    throw invalid(`${name} of a group must be 1 to ${U16_MAX}, got ${count}`)
  }
  return count
}

function unknownKind(kind: number): StorageError {
  return new StorageError('CORRUPT', `operation kind ${kind} is unknown`, { place: 'wal' })
}

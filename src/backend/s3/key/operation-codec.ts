/*
 * Operations of one key as lists, which is how versions, segments, indexes and journals hold them:
 *
 *   ["d", stamp]                        delete
 *   ["s", stamp, value]                 set
 *   ["a", position, value, id?]         append; the id is left out when it is the position
 *   ["e", id, position, stamp, value]   edit
 *   ["r", id, position]                 removal; its stamp does not count
 *
 * A value is the JSON text as it was written, or [segment, at, digest] when it stands elsewhere.
 */
import type { JsonText } from '../../../core/json.ts'
import type { Operation } from '../../../core/operation.ts'
import type { Stamp } from '../../../core/stamp.ts'
import { refOf, refText } from './value-ref.ts'

type StoredValue = string | readonly [string, number, number]
export type StoredOperation = readonly (string | StoredValue)[]

export function encodeOperation(operation: Operation): StoredOperation {
  switch (operation.kind) {
    case 'delete':
      return ['d', operation.stamp]
    case 'set':
      return ['s', operation.stamp, encodeValue(operation.value)]
    case 'put': {
      const { id, position, stamp } = operation
      if (operation.change === 'remove') return ['r', id, position]
      const value = encodeValue(operation.value)
      if (operation.change === 'edit') return ['e', id, position, stamp, value]
      return id === position ? ['a', position, value] : ['a', position, value, id]
    }
  }
}

export function decodeOperation(key: string, stored: StoredOperation): Operation {
  const [kind, ...fields] = stored
  switch (kind) {
    case 'd':
      return { kind: 'delete', key, stamp: fields[0] as Stamp }
    case 's':
      return { kind: 'set', key, stamp: fields[0] as Stamp, value: decodeValue(fields[1]!) }
    case 'a': {
      const [position, value, id = position] = fields
      const stamp = position as Stamp
      return {
        kind: 'put',
        change: 'append',
        key,
        id: id as string,
        position: stamp,
        stamp,
        value: decodeValue(value!),
      }
    }
    case 'e': {
      const [id, position, stamp, value] = fields
      return {
        kind: 'put',
        change: 'edit',
        key,
        id: id as string,
        position: position as Stamp,
        stamp: stamp as Stamp,
        value: decodeValue(value!),
      }
    }
    case 'r': {
      const position = fields[1] as Stamp
      return {
        kind: 'put',
        change: 'remove',
        key,
        id: fields[0] as string,
        position,
        stamp: position,
      }
    }
    default:
      throw new TypeError(`an operation of kind ${JSON.stringify(kind)} is not known`)
  }
}

function encodeValue(value: JsonText): StoredValue {
  const ref = refOf(value)
  return ref === undefined ? value : [ref.segment, ref.at, ref.digest]
}

function decodeValue(stored: StoredValue | string): JsonText {
  if (typeof stored === 'string') return stored as JsonText
  const [segment, at, digest] = stored
  return refText({ segment: segment!, at: Number(at), digest: Number(digest) })
}

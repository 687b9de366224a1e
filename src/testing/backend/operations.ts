import type { JsonText } from '../../core/json.ts'
import type {
  AppendOperation,
  DeleteOperation,
  EditOperation,
  RemoveOperation,
  SetOperation,
} from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'

/** When the tests' stamps begin. */
const START_MS = Date.UTC(2024, 0, 1)

/** A stamp that says when, and nothing of which is random. */
export function stampAt(offsetMs: number, counter = 0, writer = 1): Stamp {
  const ms = (START_MS + offsetMs).toString(16).padStart(12, '0')
  const count = counter.toString(16).padStart(3, '0')
  const tail = writer.toString(16).padStart(12, '0')
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${count}-8000-${tail}` as Stamp
}

export function json(value: unknown): JsonText {
  return JSON.stringify(value) as JsonText
}

/** An append; its id is made from its position unless one is given. */
export function append(
  key: string,
  position: Stamp,
  value: unknown,
  id: string = position,
): AppendOperation {
  return { kind: 'put', change: 'append', key, id, position, stamp: position, value: json(value) }
}

export function edit(
  key: string,
  id: string,
  position: Stamp,
  stamp: Stamp,
  value: unknown,
): EditOperation {
  return { kind: 'put', change: 'edit', key, id, position, stamp, value: json(value) }
}

export function remove(key: string, id: string, position: Stamp, stamp: Stamp): RemoveOperation {
  return { kind: 'put', change: 'remove', key, id, position, stamp }
}

export function set(key: string, stamp: Stamp, value: unknown): SetOperation {
  return { kind: 'set', key, stamp, value: json(value) }
}

export function clear(key: string, stamp: Stamp): DeleteOperation {
  return { kind: 'delete', key, stamp }
}

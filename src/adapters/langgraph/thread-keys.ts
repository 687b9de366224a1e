/*
 * Where the checkpoints of a thread are kept. Every namespace of a thread has three kinds of lists:
 *
 *   …c/THREAD/NAMESPACE            checkpoints, in the order in which they were put
 *   …x/THREAD/NAMESPACE/values     values of channels, by channel and version
 *   …x/THREAD/NAMESPACE/wTIME      writes of the tasks of checkpoints that were made about that time, each behind its
 *                                  checkpoint
 *   …x/THREAD/NAMESPACE/w:ID       writes of one checkpoint that was not known to be stored then
 *
 * So a step appends some rows, and a thread of any length is removed as a few keys.
 */
import { createHash } from 'node:crypto'
import { tenantPrefix } from '../../chat/keys.ts'

/** Longest text of the framework's that stands in a key as it is. UTF-8 bytes. */
const PART_BYTES_MAX = 200
/** Longest id of an item that is made of the framework's texts as they are. UTF-8 bytes. */
const NAME_BYTES_MAX = 240

/** The lists of one namespace of a thread. */
export interface Place {
  readonly thread: string
  readonly namespace: string
  readonly checkpoints: string
  readonly values: string
  /** What the lists of writes begin with. */
  readonly writes: string
}

/** Which lists a key is one of. */
export type Kind = 'c' | 'x'

/** What all keys of a tenant's graphs begin with, or those of one kind. */
export function graphPrefix(tenant: string, kind: Kind | 's'): string {
  return `${tenantPrefix(tenant, 'adapter')}langgraph/${kind}/`
}

/** What all keys of a thread begin with. */
export function threadPrefix(tenant: string, kind: Kind, thread: string): string {
  return `${graphPrefix(tenant, kind)}${partOf(thread)}/`
}

export function placeOf(tenant: string, thread: string, namespace: string): Place {
  const part = partOf(namespace)
  const beside = `${threadPrefix(tenant, 'x', thread)}${part}/`
  return {
    thread,
    namespace,
    checkpoints: `${threadPrefix(tenant, 'c', thread)}${part}`,
    values: `${beside}values`,
    writes: `${beside}w`,
  }
}

/** True for the list of checkpoints of a namespace, whatever the thread. */
export function isOfNamespace(key: string, namespace: string): boolean {
  return key.endsWith(`/${partOf(namespace)}`)
}

/** A text of the framework's as an id: itself, or its hash where it is too long or cannot be stored. */
export function nameOf(text: string): string {
  return isPlain(text, NAME_BYTES_MAX) ? text : hashOf(text)
}

/** The item of a channel's value. */
export function valueName(channel: string, version: string | number): string {
  return nameOf(JSON.stringify([channel, version]))
}

/** The item of a further piece of a long value, counted from 1. No name of a value ends so. */
export function pieceName(name: string, piece: number): string {
  return `${name}+${piece}`
}

/** Of a UUID of version 6: its 36 most significant bits, which are a time in steps of 1.7 s. */
const MADE_AT = /^([0-9a-f]{8})-([0-9a-f])[0-9a-f]{3}-6/

/**
 * The list that a checkpoint's writes share with those of checkpoints that were made within the same seven seconds:
 * the number of lists is what the removal of a thread costs. Undefined: its id is no time.
 */
export function sharedWritesKey({ writes }: Place, checkpointId: string): string | undefined {
  const time = MADE_AT.exec(checkpointId)
  return time === null ? undefined : `${writes}${time[1]}${Number.parseInt(time[2]!, 16) >> 2}`
}

/** The list for those writes of a checkpoint that may stand before it. */
export function ownWritesKey(place: Place, checkpointId: string): string {
  return `${ownWritesPrefix(place)}${partOf(checkpointId)}`
}

/** What all such lists of a namespace begin with. */
export function ownWritesPrefix({ writes }: Place): string {
  return `${writes}:`
}

/** The length before the text keeps any two apart, whatever they contain. */
function partOf(text: string): string {
  return isPlain(text, PART_BYTES_MAX) ? `${text.length}:${text}` : hashOf(text)
}

function isPlain(text: string, bytesMax: number): boolean {
  return (
    text.length <= bytesMax &&
    Buffer.byteLength(text) <= bytesMax &&
    !text.includes('\0') &&
    text.isWellFormed() &&
    !text.startsWith('#')
  )
}

/** Of the JSON text, in which lone surrogates differ from one another. */
function hashOf(text: string): string {
  return `#${createHash('sha256').update(JSON.stringify(text)).digest('hex')}`
}

/*
 * The names of a database in its bucket, below the prefix of the options:
 *
 *   identity                          the database that is served; made when there is none
 *   probe/RANDOM                      for a moment while connecting
 *   ID/k/KEY/VERSION                  the versions of a key, newest first; only the first one counts
 *   ID/v/KEY/RANDOM                   segments of values, and indexes of what is in them
 *   ID/m/h/WRITER/COUNT               a hint
 *   ID/m/c/WRITER/LSN-STAMP           a cursor, with the greatest stamp that its writer had written
 *   ID/m/s/STAMP                      the greatest stamp of a write without a cursor
 *   ID/m/t/COUNT-IDENTITY             the identity of the other database
 *   ID/l/NAME/NUMBER                  the states of a lease, newest first
 *   ID/m/j/HASH                       a group over several keys while it is being applied
 *
 * ID is the identity: what a late writer adds to a database that was replaced is never read. KEY and
 * WRITER are the bytes of the text in hexadecimal, which keeps their order and that of prefixes; a
 * key of more than `KEY_BYTES_MAX` is cut there and a hash of it added. Numbers and stamps that are
 * looked for from the greatest on are written as their complement: a list begins with the newest.
 */
import { createHash } from 'node:crypto'
import { stampOfHex, hexOfStamp } from './stamp-hex.ts'
import type { Stamp } from '../../../core/stamp.ts'

/** Twice as many characters, plus a hash and a version, must fit into the 1,024 bytes of a name. */
const KEY_BYTES_MAX = 300
/** Sorts after everything that stands below a key's folder. */
const LAST = '~'
const COMPLEMENT = 2 ** 53 - 1
const NUMBER_DIGITS = 14

export const IDENTITY_NAME = 'identity'

export class Layout {
  readonly identity: string
  readonly keys: string
  readonly marks: string

  constructor(identity: string) {
    this.identity = identity
    this.keys = `${identity}/k/`
    this.marks = `${identity}/m/`
  }

  /** Where the versions of a key are. Ends with a slash. */
  versions(key: string): string {
    return `${this.keys}${folderOf(key)}/`
  }

  version(key: string, version: number): string {
    return this.versions(key) + descending(version)
  }

  values(key: string): string {
    return `${this.identity}/v/${folderOf(key)}/`
  }

  /** What the names of all keys with this prefix begin with, and perhaps of some more. */
  keysWith(prefix: string): string {
    return this.keys + hexOf(prefix).slice(0, 2 * KEY_BYTES_MAX)
  }

  /** A list after this begins with the first key above; all keys that are cut alike come again. */
  after(key: string): string {
    const isCut = Buffer.byteLength(key) > KEY_BYTES_MAX
    const folder = isCut ? folderOf(key).split(LAST, 1)[0]! : folderOf(key)
    return `${this.keys}${folder}/${LAST}`
  }

  /** A list after this skips the rest of the folder that the name is in. */
  afterFolder(name: string): string {
    return `${name.slice(0, name.lastIndexOf('/') + 1)}${LAST}`
  }

  hints(writer = ''): string {
    return `${this.marks}h/${writer === '' ? '' : `${hexOf(writer)}/`}`
  }

  hint(writer: string, count: number): string {
    return this.hints(writer) + descending(count)
  }

  cursor(writer: string, lsn: number, head: Stamp): string {
    return `${this.marks}c/${hexOf(writer)}/${descending(lsn)}-${hexOfStamp(head)}`
  }

  head(stamp: Stamp): string {
    return `${this.marks}s/${complement(hexOfStamp(stamp))}`
  }

  trusted(count: number, identity: string): string {
    return `${this.marks}t/${descending(count)}-${hexOf(identity)}`
  }

  /** Where the states of a lease are. Ends with a slash. */
  leases(name: string): string {
    return `${this.identity}/l/${hexOf(name)}/`
  }

  lease(name: string, number: number): string {
    return this.leases(name) + descending(number)
  }

  journal(name: string): string {
    return `${this.marks}j/${name}`
  }
}

/** The folder of a version's name, without what stands before it. */
export function folderIn(name: string): string {
  return name.slice(0, name.lastIndexOf('/')).split('/').at(-1)!
}

/** The number of a version, a hint or a cursor, from the last part of its name. */
export function numberIn(name: string): number {
  return COMPLEMENT - Number.parseInt(lastPart(name).slice(0, NUMBER_DIGITS), 16)
}

/** The key of a folder's name; undefined when it was cut, and only its versions tell. */
export function keyOfFolder(folder: string): string | undefined {
  return folder.includes(LAST) ? undefined : textOf(folder)
}

/** Folders with the same text before this stand together, in no order of their own. */
export function cutPart(folder: string): string | undefined {
  const at = folder.indexOf(LAST)
  return at === -1 ? undefined : folder.slice(0, at)
}

/** One mark, as its name tells it. */
export type Mark =
  | { readonly kind: 'hint'; readonly writer: string; readonly count: number }
  | { readonly kind: 'cursor'; readonly writer: string; readonly lsn: number; readonly head: Stamp }
  | { readonly kind: 'head'; readonly head: Stamp }
  | { readonly kind: 'trusted'; readonly count: number; readonly identity: string }
  | { readonly kind: 'journal' }

/** What a name below `marks` says; undefined for a name of a later version. */
export function markOf(layout: Layout, name: string): Mark | undefined {
  const [kind, ...parts] = name.slice(layout.marks.length).split('/')
  const last = parts.at(-1) ?? ''
  const tail = last.slice(NUMBER_DIGITS + 1)
  switch (kind) {
    case 'h':
      return { kind: 'hint', writer: textOf(parts[0]!), count: numberIn(last) }
    case 'c':
      return {
        kind: 'cursor',
        writer: textOf(parts[0]!),
        lsn: numberIn(last),
        head: stampOfHex(tail),
      }
    case 's':
      return { kind: 'head', head: stampOfHex(complement(last)) }
    case 't':
      return { kind: 'trusted', count: numberIn(last), identity: textOf(tail) }
    case 'j':
      return { kind: 'journal' }
    default:
      return undefined
  }
}

function folderOf(key: string): string {
  const bytes = Buffer.from(key)
  if (bytes.byteLength <= KEY_BYTES_MAX) return bytes.toString('hex')
  const hash = createHash('sha256').update(bytes).digest('hex')
  return `${bytes.subarray(0, KEY_BYTES_MAX).toString('hex')}${LAST}${hash}`
}

function descending(count: number): string {
  return (COMPLEMENT - count).toString(16).padStart(NUMBER_DIGITS, '0')
}

function complement(hex: string): string {
  return hex.replace(/./g, (digit) => (15 - Number.parseInt(digit, 16)).toString(16))
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

function hexOf(text: string): string {
  return Buffer.from(text).toString('hex')
}

function textOf(hex: string): string {
  return Buffer.from(hex, 'hex').toString()
}

/*
 * What a plain adapter keeps in the user's backend: JSON documents, under `get`, `set` and `list`.
 *
 *   everthread:key:KEY     { format: 2, deletedThrough?, register?, items }   the state of one key
 *   everthread:meta        { format: 1, identity, trusted?, hints, … }        the database's own facts
 *   everthread:journal     { format: 1, operations }                          see below
 *
 * A plain backend writes one document at a time, so a group over several keys first goes into the
 * journal as a whole. When the writing of its keys is cut short, the journal is merged again before
 * anything else is written; merging twice changes nothing. An empty journal has no operations.
 */
import { StorageError } from '../core/errors.ts'
import { renewedEnvelope } from '../core/encryption/envelope.ts'
import {
  emptyState,
  itemOfParts,
  withoutCleared,
  type Item,
  type KeyState,
  type Register,
} from '../core/merge.ts'
import type { Operation } from '../core/operation.ts'
import type { Stamp } from '../core/stamp.ts'
import type { DatabaseBackend } from './database-backend.ts'

const FORMAT = 1
const STATE_FORMAT = 2
const STATE_PREFIX = 'everthread:key:'
const META = 'everthread:meta'
const JOURNAL = 'everthread:journal'

/** The database's own facts. */
export interface PlainMeta {
  readonly identity: string
  readonly trusted?: string
  readonly hints: ReadonlyMap<string, number>
  /** One for all writers: a hint that is raised again after its removal has another count. */
  readonly hintCount: number
  readonly cursors: ReadonlyMap<string, number>
}

interface StateDocument {
  readonly format: number
  readonly deletedThrough?: Stamp
  readonly register?: Register
  readonly items: readonly Item[]
}

/** An item of the first format: its edit or removal belongs to its position. */
type FirstItem = Omit<Item, 'editedOf' | 'removedOf'> & { readonly removed: boolean }

interface MetaDocument {
  readonly format: number
  readonly identity: string
  readonly trusted?: string
  readonly hints: readonly (readonly [string, number])[]
  readonly hintCount: number
  readonly cursors: readonly (readonly [string, number])[]
}

interface JournalDocument {
  readonly format: number
  readonly operations: readonly Operation[]
}

/** The documents of one plain backend, by meaning. Errors are the backend's own, or `CORRUPT`. */
export class PlainDocuments {
  readonly #backend: DatabaseBackend

  constructor(backend: DatabaseBackend) {
    this.#backend = backend
  }

  /** The state of a key; an empty one when nothing is there. The caller may change it. */
  async readState(key: string): Promise<KeyState> {
    const document = await this.#read<StateDocument>(STATE_PREFIX + key, STATE_FORMAT)
    if (document === undefined) return emptyState()
    const { format, deletedThrough, register } = document
    const items = format === STATE_FORMAT ? document.items : document.items.flatMap(upgraded)
    return {
      deletedThrough,
      register: register && { ...register, value: renewedEnvelope(register.value) },
      items: new Map(items.map((item) => [item.id, renewedItem(item)])),
    }
  }

  async writeState(key: string, state: KeyState): Promise<void> {
    const { deletedThrough, register, items } = state
    await this.#backend.set<StateDocument>(STATE_PREFIX + key, {
      format: STATE_FORMAT,
      ...(deletedThrough !== undefined && { deletedThrough }),
      ...(register !== undefined && { register }),
      items: [...items.values()],
    })
  }

  /** The keys that have a document, empty ones included, sorted by code point. */
  async listKeys(prefix: string): Promise<readonly string[]> {
    const documents = await this.#backend.list(STATE_PREFIX + prefix)
    return documents.map((document) => document.slice(STATE_PREFIX.length))
  }

  /** Undefined in a database that was never opened. */
  async readMeta(): Promise<PlainMeta | undefined> {
    const document = await this.#read<MetaDocument>(META)
    if (document === undefined) return undefined
    const { identity, trusted, hints, hintCount, cursors } = document
    return {
      identity,
      ...(trusted !== undefined && { trusted }),
      hints: new Map(hints),
      hintCount,
      cursors: new Map(cursors),
    }
  }

  async writeMeta({ hints, cursors, ...rest }: PlainMeta): Promise<void> {
    await this.#backend.set<MetaDocument>(META, {
      format: FORMAT,
      ...rest,
      hints: [...hints],
      cursors: [...cursors],
    })
  }

  async readJournal(): Promise<readonly Operation[]> {
    return (await this.#read<JournalDocument>(JOURNAL))?.operations ?? []
  }

  async writeJournal(operations: readonly Operation[]): Promise<void> {
    await this.#backend.set<JournalDocument>(JOURNAL, { format: FORMAT, operations })
  }

  async #read<Document extends { readonly format: number }>(
    name: string,
    newest: number = FORMAT,
  ): Promise<Document | undefined> {
    const document = (await this.#backend.get<Document>(name)) ?? undefined
    if (document === undefined) return undefined
    if (document.format === FORMAT || document.format === newest) return document
    throw new StorageError('CORRUPT', `${name} is not what the plain adapter wrote there`)
  }
}

/** Without the digests that encrypted values once carried: so the next write of the key has it. */
function renewedItem({ appended, edited, ...item }: Item): Item {
  return {
    ...item,
    ...(appended !== undefined && { appended: renewedEnvelope(appended) }),
    ...(edited !== undefined && { edited: renewedEnvelope(edited) }),
  }
}

/** What was left of a cleared item, without a position, is gone. */
function upgraded(item: Item): readonly Item[] {
  const { id, position, removed, editedAt, ...parts } = item as unknown as FirstItem
  const now = itemOfParts(id, {
    ...parts,
    ...(editedAt !== undefined && { editedOf: position, editedAt }),
    ...(removed && { removedOf: position }),
  })
  const left = now && withoutCleared(now, undefined)
  return left === undefined ? [] : [left]
}

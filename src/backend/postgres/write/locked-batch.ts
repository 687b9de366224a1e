/*
 * Calls whose operations must be judged by what stands: they run in one transaction on locked rows,
 * and core/decide.ts judges them, as it does in memory.
 */
import {
  itemsOfConditions,
  judgeConditions,
  latestVisible,
  standingOf,
  type Condition,
} from '../../../core/conditions.ts'
import { digestOf } from '../../../core/digest.ts'
import {
  applyOperation,
  emptyState,
  itemOf,
  joinItems,
  type Item,
  type KeyState,
} from '../../../core/merge.ts'
import { StorageError } from '../../../core/errors.ts'
import type { Operation, SetOperation } from '../../../core/operation.ts'
import { maxStamp, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import { compareText } from '../../../core/text.ts'
import type { BatchCall } from '../../batcher.ts'
import { isRefused, judgeGroup, withheldAll, type Judged } from '../../key-states.ts'
import type { ApplyResult } from '../../replica-backend.ts'
import { coarse } from './append-answers.ts'
import { rowName } from './batch.ts'
import { itemKeyOf } from '../rows/item-key.ts'
import { ITEM_COLUMNS, itemFrom, rowOf } from '../rows/item-row.ts'
import { headsSql, latestSql, lockItemsSql, lockKeysSql } from './locked-sql.ts'
import { writeItemsSql, writeKeysSql, writeMarksSql } from './locked-sql.ts'
import { cursorsOf, hintsOf } from './marks.ts'
import type { Session } from '../connection/session.ts'
import { prepared } from '../connection/statement.ts'
import { sweep } from '../upkeep/sweep.ts'
import type { Tables } from '../rows/tables.ts'

/** An id that had to be new was written by another transaction meanwhile: judge again. */
class LostRace extends Error {}

export interface LockedResult {
  readonly results: readonly ApplyResult[]
  /** Keys with more gone rows than one call removes. */
  readonly unswept: readonly string[]
}

/** What the transaction knows of a key. */
interface LockedKey {
  readonly touched: Stamp
  readonly state: KeyState
}

/** A row that will be written. */
interface PendingRow {
  readonly key: string
  item: Item
  /** It must not be there yet. */
  isNew: boolean
}

/** An id that no caller can use: the rest of the list, as far as its greatest stamp matters. */
const REST = '\0rest'

/** Times that a lost race is run again. The row that won it is then there, and locked. */
const RACES_MAX = 5

/** Applies the calls in a transaction of their own. */
export async function applyLocked(
  session: Session,
  tables: Tables,
  calls: readonly BatchCall[],
): Promise<LockedResult> {
  for (let attempt = 1; ; attempt++) {
    const batch = new LockedBatch(session, tables, calls)
    try {
      return await session.transaction(
        () => batch.run(),
        () => batch.isVain,
      )
    } catch (error) {
      if (!(error instanceof LostRace)) throw error
      if (attempt === RACES_MAX) {
        throw new StorageError(
          'UNAVAILABLE',
          'PostgreSQL: too many writers use the same id at once',
        )
      }
    }
  }
}

/** Keys and items of these rows in one order, so that two calls do not wait for each other. */
type ItemRows = [keys: string[], items: string[]]

class LockedBatch {
  readonly #session: Session
  readonly #tables: Tables
  readonly #calls: readonly BatchCall[]
  /** Of the rows that the calls are about. */
  readonly #itemRows: ItemRows
  readonly #keys = new Map<string, LockedKey>()
  readonly #stands = new Set<string>()
  readonly #rows = new Map<string, PendingRow>()
  readonly #touched = new Map<string, Stamp>()
  readonly #registers = new Map<string, SetOperation | undefined>()
  readonly #deleted = new Map<string, Stamp>()
  /** The latest visible items of keys, but for those that are locked. */
  readonly #latest = new Map<string, Stamp>()
  #identity = ''

  constructor(session: Session, tables: Tables, calls: readonly BatchCall[]) {
    this.#session = session
    this.#tables = tables
    this.#calls = calls
    this.#itemRows = itemRowsOf(this.#operations, this.#conditions)
  }

  async run(): Promise<LockedResult> {
    await this.#lockKeys()
    await this.#lockItems()
    await this.#readHeads()
    await this.#readLatest()
    const answers = this.#calls.map((call) => this.#judge(call))
    await this.#writeKeys()
    await this.#writeItems(false)
    await this.#writeItems(true)
    await this.#writeMarks()
    const unswept = await sweep(this.#session, this.#tables, [...this.#deleted.keys()])
    return {
      results: answers.map((judged) => ({ identity: this.#identity, ...judged })),
      unswept,
    }
  }

  /** True when there is nothing to commit: locking has made rows for keys that were missing. */
  get isVain(): boolean {
    return (
      this.#touched.size === 0 &&
      hintsOf(this.#calls) === undefined &&
      cursorsOf(this.#calls) === undefined
    )
  }

  get #operations(): Operation[] {
    return this.#calls.flatMap(({ operations }) => operations)
  }

  get #conditions(): Condition[] {
    return this.#calls.flatMap(({ conditions = [] }) => conditions)
  }

  async #lockKeys(): Promise<void> {
    const named = [...this.#operations, ...this.#conditions].map(({ key }) => key)
    const keys = [...new Set(named)].sort(compareText)
    const { rows } = await this.#session.query(prepared(lockKeysSql(this.#tables), [keys]))
    for (const row of rows) {
      const state = emptyState()
      const registerStamp = row['register_stamp'] as Stamp | null
      state.deletedThrough = (row['deleted_through'] as Stamp | null) ?? undefined
      if (registerStamp !== null && registerStamp > (state.deletedThrough ?? STAMP_MIN)) {
        // Judging needs the stamp only.
        state.register = { stamp: registerStamp, value: '' as SetOperation['value'] }
      }
      this.#keys.set(row['key'] as string, { state, touched: row['touched'] as Stamp })
      this.#identity = row['identity'] as string
    }
  }

  async #lockItems(): Promise<void> {
    if (this.#itemRows[0].length === 0) return
    const { rows } = await this.#session.query(prepared(lockItemsSql(this.#tables), this.#itemRows))
    for (const row of rows) {
      const key = row['key'] as string
      const { state } = this.#keys.get(key)!
      this.#stands.add(rowName(key, row['item'] as string))
      const item = itemFrom(row, state.deletedThrough)
      if (item !== undefined) state.items.set(item.id, item)
    }
  }

  /** A delete is judged by everything in the key; one item stands for what is not locked. */
  async #readHeads(): Promise<void> {
    const keys = this.#calls
      .filter((call) => call.decide)
      .flatMap(({ operations }) => operations)
      .filter(({ kind }) => kind === 'delete')
      .map(({ key }) => key)
    if (keys.length === 0) return
    const { rows } = await this.#session.query(
      prepared(headsSql(this.#tables), [[...new Set(keys)], ...this.#itemRows]),
    )
    for (const row of rows) {
      const position = row['head'] as Stamp | null
      if (position === null) continue
      const { state } = this.#keys.get(row['key'] as string)!
      state.items.set(REST, { id: REST, position, removedOf: position })
    }
  }

  /** For conditions on the latest items. */
  async #readLatest(): Promise<void> {
    const keys = this.#conditions.flatMap((each) => ('last' in each ? [each.key] : []))
    if (keys.length === 0) return
    const values = [[...new Set(keys)], ...this.#itemRows]
    const { rows } = await this.#session.query(prepared(latestSql(this.#tables), values))
    for (const row of rows) {
      const latest = row['latest'] as Stamp | null
      if (latest !== null) this.#latest.set(row['key'] as string, latest)
    }
  }

  #judge({ operations, decide, unique, conditions = [] }: BatchCall): Judged {
    const stateOf = (key: string): KeyState => this.#keys.get(key)!.state
    const standing = { ...standingOf(stateOf), latestOf: (key: string) => this.#latestOf(key) }
    const failed = judgeConditions(conditions, operations, standing)
    if (failed !== undefined) {
      return { applied: withheldAll(operations, (key) => stateOf(key).deletedThrough), failed }
    }
    const applied = judgeGroup(operations, stateOf, decide, unique)
    if (isRefused({ applied })) return { applied }
    // Of an id that is to be absent, too, only one of two at the same moment may make the row.
    const isNew = decide && (unique || conditions.length > 0)
    operations.forEach((operation, i) => {
      if (applied[i]!.outcome === 'applied') this.#accept(operation, isNew)
    })
    return { applied }
  }

  /** Earlier calls of the batch may have changed what was read. */
  #latestOf(key: string): Stamp | undefined {
    const { state } = this.#keys.get(key)!
    const rest = this.#latest.get(key)
    const isLeft = rest !== undefined && rest > (state.deletedThrough ?? STAMP_MIN)
    return maxStamp(latestVisible(state), isLeft ? rest : undefined)
  }

  #accept(operation: Operation, unique: boolean): void {
    const { key, stamp } = operation
    const { state } = this.#keys.get(key)!
    const register = state.register
    applyOperation(state, operation)
    this.#touched.set(key, maxStamp(stamp, this.#touched.get(key) ?? stamp))
    switch (operation.kind) {
      case 'delete':
        this.#deleted.set(key, maxStamp(stamp, this.#deleted.get(key) ?? stamp))
        if (state.register !== register) this.#registers.set(key, undefined)
        return
      case 'set':
        if (state.register !== register) this.#registers.set(key, operation)
        return
      case 'put': {
        const { position, id, change } = operation
        this.#touched.set(key, maxStamp(position, this.#touched.get(key)!))
        const name = rowName(key, itemKeyOf(id).item)
        const item = itemOf(operation)
        const isNew = unique && change === 'append' && !this.#stands.has(name)
        const row = this.#rows.get(name)
        if (row === undefined) this.#rows.set(name, { key, item, isNew })
        else {
          row.item = joinItems(row.item, item)
          row.isNew ||= isNew
        }
      }
    }
  }

  async #writeKeys(): Promise<void> {
    const columns: unknown[][] = Array.from({ length: 8 }, () => [])
    for (const [key, stamp] of this.#touched) {
      const deleted = this.#deleted.get(key)
      const changed = this.#registers.has(key)
      // Usually it has been touched a moment ago, and an item alone writes nothing here.
      if (deleted === undefined && !changed && this.#keys.get(key)!.touched >= coarse(stamp))
        continue
      const register = this.#registers.get(key)
      const row = [
        key,
        stamp,
        deleted ?? null,
        deleted === undefined ? null : digestOf({ kind: 'delete', key, stamp: deleted }),
        changed,
        register?.stamp ?? null,
        register?.value ?? null,
        register === undefined ? null : digestOf(register),
      ]
      row.forEach((value, i) => columns[i]!.push(value))
    }
    if (columns[0]!.length === 0) return
    await this.#session.query(prepared(writeKeysSql(this.#tables), columns))
  }

  async #writeItems(isNew: boolean): Promise<void> {
    const pending = [...this.#rows.values()].filter((row) => row.isNew === isNew)
    if (pending.length === 0) return
    const columns: unknown[][] = ITEM_COLUMNS.map(() => [])
    for (const { key, item } of pending) {
      rowOf(key, item).forEach((value, i) => columns[i]!.push(value))
    }
    const values = [pending.map(({ key }) => key), ...columns]
    const text = writeItemsSql(this.#tables, isNew)
    const { rows } = await this.#session.query(prepared(text, values))
    if (isNew && rows.length < pending.length) throw new LostRace()
  }

  async #writeMarks(): Promise<void> {
    const hints = hintsOf(this.#calls)
    const cursors = cursorsOf(this.#calls)
    if (hints === undefined && cursors === undefined) return
    const text = writeMarksSql(this.#tables, hints !== undefined, cursors !== undefined)
    await this.#session.query(prepared(text, [...(hints ?? []), ...(cursors ?? [])]))
  }
}

function itemRowsOf(operations: readonly Operation[], conditions: readonly Condition[]): ItemRows {
  const wanted = new Map<string, { key: string; item: string }>()
  const puts = operations.flatMap((operation) => (operation.kind === 'put' ? [operation] : []))
  for (const { key, id } of [...puts, ...itemsOfConditions(conditions)]) {
    const { item } = itemKeyOf(id)
    wanted.set(rowName(key, item), { key, item })
  }
  const sorted = [...wanted.values()].sort(
    (a, b) => compareText(a.key, b.key) || compareText(a.item, b.item),
  )
  return [sorted.map(({ key }) => key), sorted.map(({ item }) => item)]
}

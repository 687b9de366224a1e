import { itemOf, joinItems, type Item } from '../../../core/merge.ts'
import type { PutOperation } from '../../../core/operation.ts'
import { maxStamp, type Stamp } from '../../../core/stamp.ts'
import type { BatchCall } from '../../batcher.ts'
import type { ApplyResult } from '../../replica-backend.ts'
import { answerAppends, coarse } from './append-answers.ts'
import { batchSql } from './batch-sql.ts'
import { itemKeyOf } from '../rows/item-key.ts'
import { ITEM_COLUMNS, rowOf } from '../rows/item-row.ts'
import { hintsOf, cursorsOf } from './marks.ts'
import type { PgStatement } from '../connection/pg-types.ts'
import { singleSql } from './single-sql.ts'
import { prepared } from '../connection/statement.ts'
import type { Tables } from '../rows/tables.ts'

/** A row of a batch, by key and item. */
interface Row {
  readonly key: string
  readonly group: number
  readonly judged: boolean
  readonly unique: boolean
  item: Item
}

/**
 * Calls that one statement can take (`batch-sql.ts`). `add` refuses a call that needs more: an edit,
 * removal, set or delete that is judged, several ids that must be new together, and an item that
 * another call of the batch writes too, when either is judged.
 */
export class Batch {
  readonly #rows = new Map<string, Row>()
  readonly #keys = new Map<string, Stamp>()
  readonly #calls: BatchCall[] = []

  /** Takes the call as the group with the next number, or answers false. */
  add(call: BatchCall): boolean {
    if (!isSimple(call)) return false
    const puts = call.operations as readonly PutOperation[]
    const names = puts.map(({ key, id }) => rowName(key, itemKeyOf(id).item))
    const own = new Set(names)
    if (call.decide && own.size < names.length) return false
    for (const name of own) {
      const row = this.#rows.get(name)
      if (row !== undefined && (row.judged || call.decide)) return false
    }
    puts.forEach((put, i) => this.#put(put, names[i]!, call))
    this.#calls.push(call)
    return true
  }

  statement(tables: Tables): PgStatement {
    const rows = [...this.#rows.values()]
    const keys = [...this.#keys]
    const [first] = this.#calls
    if (rows.length === 1 && this.#calls.length === 1 && isPlain(first!)) {
      const [key, touched] = keys[0]!
      const { item, unique } = rows[0]!
      const values = [key, touched, coarse(touched), ...rowOf(key, item)]
      return prepared(singleSql(tables, unique), values)
    }
    const numbers = new Map(keys.map(([key], i) => [key, i + 1]))
    const columns: unknown[][] = ITEM_COLUMNS.map(() => [])
    for (const { key, item } of rows) {
      rowOf(key, item).forEach((value, i) => columns[i]!.push(value))
    }
    const hints = hintsOf(this.#calls)
    const cursors = cursorsOf(this.#calls)
    const text = batchSql(tables, {
      merges: rows.some(({ unique }) => !unique),
      adds: rows.some(({ unique }) => unique),
      hints: hints !== undefined,
      cursors: cursors !== undefined,
    })
    return prepared(text, [
      keys.map(([key]) => key),
      keys.map(([, touched]) => touched),
      keys.map(([, touched]) => coarse(touched)),
      rows.map(({ key }) => numbers.get(key)),
      ...columns,
      rows.map(({ group }) => group),
      rows.map(({ judged }) => judged),
      rows.map(({ unique }) => unique),
      ...(hints ?? []),
      ...(cursors ?? []),
    ])
  }

  /** The answers to the calls; undefined for one whose id was there already. */
  results(row: Record<string, unknown>): (ApplyResult | undefined)[] {
    const identity = row['identity'] as string
    const missed = new Set(row['missed'] as number[])
    const keys = [...this.#keys.keys()]
    const through = row['cleared_through'] as Stamp[]
    const cleared = new Map((row['cleared'] as number[]).map((n, i) => [keys[n - 1]!, through[i]!]))
    return this.#calls.map((call, group) =>
      missed.has(group) ? undefined : { identity, applied: answerAppends(call, cleared) },
    )
  }

  #put(put: PutOperation, name: string, { decide, unique }: BatchCall): void {
    const { key } = put
    const row = this.#rows.get(name)
    if (row !== undefined) row.item = joinItems(row.item, itemOf(put))
    else {
      const group = this.#calls.length
      this.#rows.set(name, {
        key,
        group,
        judged: decide,
        unique: decide && unique,
        item: itemOf(put),
      })
    }
    this.#keys.set(
      key,
      maxStamp(maxStamp(put.stamp, put.position), this.#keys.get(key) ?? put.stamp),
    )
  }
}

/** Names a row within a batch. Keys have no NUL. */
export function rowName(key: string, item: string): string {
  return `${item}\0${key}`
}

function isSimple({ operations, decide, unique, conditions }: BatchCall): boolean {
  if (conditions !== undefined) return false
  if (!decide) return operations.every(({ kind }) => kind === 'put')
  if (unique && operations.length > 1) return false
  return operations.every((operation) => operation.kind === 'put' && operation.change === 'append')
}

/** A judged call without marks. */
function isPlain({ decide, hint, cursor }: BatchCall): boolean {
  return decide && hint === undefined && cursor === undefined
}

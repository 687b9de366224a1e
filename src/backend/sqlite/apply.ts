/*
 * Applies a batch of calls. The caller holds the write lock and a transaction. Within it every
 * operation is judged and written in order, so a later one of the same group sees the earlier; a
 * group that is refused goes back to its savepoint.
 */
import {
  judgeConditions,
  type Condition,
  type FailedCondition,
  type Standing,
} from '../../core/conditions.ts'
import { decide, isRefusal, judgePut, type Verdict } from '../../core/decide.ts'
import { digestOf } from '../../core/digest.ts'
import { StorageError } from '../../core/errors.ts'
import type { JsonText } from '../../core/json.ts'
import { emptyState, type KeyState } from '../../core/merge.ts'
import type {
  AppendOperation,
  DeleteOperation,
  Operation,
  PutOperation,
  SetOperation,
} from '../../core/operation.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import type { BatchCall } from '../batcher.ts'
import { withheldAll, type Judged } from '../key-states.ts'
import { ItemTable } from './rows/item-table.ts'
import type { KeyRow, KeyTable } from './rows/key-table.ts'
import type { SqliteConnection } from './connection/connection.ts'
import { stampBytes } from './rows/stamp-bytes.ts'

const SET = `
  UPDATE everthread_keys SET register_stamp = ?, register_digest = ?, register = ?
  WHERE key_id = ?`
const DELETE = `
  UPDATE everthread_keys SET deleted_through = ?1, deleted_digest = ?2,
    register_stamp = CASE WHEN register_stamp > ?1 THEN register_stamp END,
    register_digest = CASE WHEN register_stamp > ?1 THEN register_digest END,
    register = CASE WHEN register_stamp > ?1 THEN register END
  WHERE key_id = ?3`
const HEAD = 'UPDATE everthread_meta SET head = ?1 WHERE head IS NULL OR head < ?1'
const NEXT_HINT = 'UPDATE everthread_meta SET hint_count = hint_count + 1 RETURNING hint_count'
const HINT = `
  INSERT INTO everthread_hints (writer, count) VALUES (?, ?)
  ON CONFLICT (writer) DO UPDATE SET count = excluded.count`
const CURSOR = `
  INSERT INTO everthread_cursors (writer, lsn) VALUES (?, ?)
  ON CONFLICT (writer) DO UPDATE SET lsn = max(lsn, excluded.lsn)`

const APPLIED: Verdict = { outcome: 'applied' }

/** Answers each call, in order. Throws only what fails the whole batch. */
export function applyBatch(
  connection: SqliteConnection,
  keys: KeyTable,
  calls: readonly BatchCall[],
): Judged[] {
  keys.begin()
  return new Application(connection, keys).run(calls)
}

class Application {
  readonly #connection: SqliteConnection
  readonly #keys: KeyTable
  readonly #items: ItemTable
  #head: Stamp | undefined

  constructor(connection: SqliteConnection, keys: KeyTable) {
    this.#connection = connection
    this.#keys = keys
    this.#items = new ItemTable(connection, this.#keys)
  }

  run(calls: readonly BatchCall[]): Judged[] {
    const answers = calls.map((call): Judged => {
      const failed = this.#failed(call)
      const applied = failed === undefined ? this.#group(call) : this.#withheld(call)
      if (call.hint !== undefined) {
        const next = this.#connection.get<{ hint_count: number }>(NEXT_HINT)!
        this.#connection.run(HINT, call.hint, next.hint_count)
      }
      if (call.cursor !== undefined) {
        this.#connection.run(CURSOR, call.cursor.writer, call.cursor.lsn)
      }
      return failed === undefined ? { applied } : { applied, failed }
    })
    if (this.#head !== undefined) this.#connection.run(HEAD, stampBytes(this.#head))
    return answers
  }

  #failed({ conditions, operations }: BatchCall): FailedCondition | undefined {
    return conditions === undefined
      ? undefined
      : judgeConditions(conditions, operations, this.#standing(conditions))
  }

  #withheld({ operations }: BatchCall): readonly Verdict[] {
    return withheldAll(operations, (key) => this.#keys.find(key)?.deletedThrough)
  }

  /** What stands, read as it is asked for. */
  #standing(conditions: readonly Condition[]): Standing {
    for (const { key } of conditions) checkStorable('key', key)
    return {
      registerOf: (key) => {
        const stamp = this.#keys.find(key)?.registerStamp
        return stamp === undefined ? undefined : { stamp, value: '' as JsonText }
      },
      itemOf: (key, id) => {
        checkStorable('id', id)
        const row = this.#keys.find(key)
        return row === undefined ? undefined : this.#items.find(row.keyId, id)
      },
      latestOf: (key) => {
        const row = this.#keys.find(key)
        return row === undefined ? undefined : this.#keys.latestVisible(row)
      },
      deletedThroughOf: (key) => this.#keys.find(key)?.deletedThrough,
    }
  }

  #group({ operations, decide: judged, unique }: BatchCall): Verdict[] {
    // A refused single operation has written nothing.
    const guarded = judged && operations.length > 1
    const headBefore = this.#head
    if (guarded) this.#connection.run('SAVEPOINT everthread')
    const applied = operations.map((operation) => this.#one(operation, judged, unique))
    const refused = applied.some(isRefusal)
    if (refused && guarded) {
      this.#connection.run('ROLLBACK TO everthread')
      this.#keys.forget()
      this.#head = headBefore
    }
    if (guarded) this.#connection.run('RELEASE everthread')
    if (!refused) return applied
    return applied.map((answer) =>
      answer.outcome === 'applied' ? { ...answer, outcome: 'withheld' } : answer,
    )
  }

  #one(operation: Operation, judged: boolean, unique: boolean): Verdict {
    checkStorable('key', operation.key)
    const row = this.#keys.find(operation.key)
    const answer = judged ? this.#judged(row, operation, unique) : this.#merged(row, operation)
    if (answer.outcome === 'applied') {
      this.#head = maxStamp(this.#head, operation.stamp)
      if (operation.kind === 'put') this.#head = maxStamp(this.#head, operation.position)
    }
    return answer
  }

  #merged(row: KeyRow | undefined, operation: Operation): Verdict {
    const deletedThrough = row?.deletedThrough
    const key = row ?? this.#keys.findOrCreate(operation.key)
    if (operation.kind === 'set') this.#set(key, operation)
    else if (operation.kind === 'delete') this.#delete(key, operation)
    else this.#put(key, operation)
    return deletedThrough === undefined ? APPLIED : { ...APPLIED, deletedThrough }
  }

  #judged(row: KeyRow | undefined, operation: Operation, unique: boolean): Verdict {
    if (operation.kind === 'put') return this.#judgedPut(row, operation, unique)
    const answer = decide(this.#stateOf(row, operation), operation, unique)
    return answer.outcome === 'applied' ? this.#merged(row, operation) : answer
  }

  /** As much of the key's state as the judgement of a `set` or `delete` looks at. */
  #stateOf(row: KeyRow | undefined, operation: SetOperation | DeleteOperation): KeyState {
    const state = emptyState()
    if (row === undefined) return state
    state.deletedThrough = row.deletedThrough
    const stamp =
      operation.kind === 'set'
        ? row.registerStamp
        : maxStamp(row.registerStamp, this.#items.head(row.keyId))
    if (stamp !== undefined) state.register = { stamp, value: '' as JsonText }
    return state
  }

  #judgedPut(row: KeyRow | undefined, operation: PutOperation, unique: boolean): Verdict {
    checkStorable('id', operation.id)
    const deletedThrough = row?.deletedThrough
    // Mostly the id is new: the insert finds that out in one step.
    if (isAliveAppend(operation, deletedThrough)) {
      const key = row ?? this.#keys.findOrCreate(operation.key)
      if (this.#items.insert(key, operation)) {
        return deletedThrough === undefined ? APPLIED : { ...APPLIED, deletedThrough }
      }
      row = key
    }
    const existing = row === undefined ? undefined : this.#items.find(row.keyId, operation.id)
    const answer = judgePut(existing, operation, deletedThrough, unique)
    if (answer.outcome === 'applied') {
      this.#items.merge(row ?? this.#keys.findOrCreate(operation.key), operation)
    }
    return deletedThrough === undefined ? answer : { ...answer, deletedThrough }
  }

  #put(key: KeyRow, operation: PutOperation): void {
    checkStorable('id', operation.id)
    const alive = isAliveAppend(operation, key.deletedThrough)
    if (alive && this.#items.insert(key, operation)) return
    this.#items.merge(key, operation)
  }

  #set(key: KeyRow, operation: SetOperation): void {
    const { stamp, value } = operation
    if (key.deletedThrough !== undefined && stamp <= key.deletedThrough) return
    if (key.registerStamp !== undefined && stamp <= key.registerStamp) return
    this.#connection.run(SET, stampBytes(stamp), digestOf(operation), value, key.keyId)
    key.registerStamp = stamp
    this.#keys.raise(key, stamp, false)
  }

  #delete(key: KeyRow, operation: DeleteOperation): void {
    const { stamp } = operation
    if (key.deletedThrough !== undefined && stamp <= key.deletedThrough) return
    this.#connection.run(DELETE, stampBytes(stamp), digestOf(operation), key.keyId)
    key.deletedThrough = stamp
    if (key.registerStamp !== undefined && key.registerStamp <= stamp) {
      key.registerStamp = undefined
    }
    this.#items.dropCleared(operation.key, key)
    this.#keys.raise(key, stamp, false)
    this.#keys.lower(key)
  }
}

function isAliveAppend(
  operation: PutOperation,
  deletedThrough: Stamp | undefined,
): operation is AppendOperation {
  if (operation.change !== 'append') return false
  return deletedThrough === undefined || operation.position > deletedThrough
}

/** SQLite would store these changed, and then they would be another key. */
function checkStorable(name: string, text: string): void {
  if (!text.includes('\0') && text.isWellFormed()) return
  const shown = JSON.stringify(text)
  throw new StorageError('REJECTED', `${name} ${shown} has a NUL or a lone surrogate`)
}

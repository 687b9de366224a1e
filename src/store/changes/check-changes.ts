/* What a group of changes is handed as: checked, and its values written as JSON, before any place is asked. */
import type { Condition } from '../../core/conditions.ts'
import { invalid } from '../../core/errors.ts'
import { fieldsOf } from '../../core/given.ts'
import { encodeJson, type JsonText } from '../../core/json.ts'
import {
  checkArray,
  checkObject,
  GROUP_OPERATIONS_MAX,
  KEY_BYTES_MAX,
  MESSAGE_ID_BYTES_MAX,
} from '../../core/limits.ts'
import { itemName } from '../../core/operation.ts'
import { argument, byDefault, integer, oneOf, text, value } from '../../core/option-kinds.ts'
import { resolve, type Option, type Table } from '../../core/options.ts'
import { showValue } from '../../core/show-value.ts'
import { isStamp, type Stamp } from '../../core/stamp.ts'
import type { Decider } from '../../strategy/write/write-port.ts'
import { EXPIRES_AT_MAX, withExpiry } from '../expiry/expiring-text.ts'
import { checkExpiringKey } from '../expiry/expiry-keys.ts'
import type { Change, ChangesOptions } from './change.ts'

/** A change with its value as it is stored. */
export interface CheckedChange {
  readonly kind: Change['kind']
  readonly key: string
  readonly id?: string
  readonly text?: JsonText
  readonly expiresAt?: number
}

/** What a group is written under. */
export interface CheckedOptions {
  readonly conditions: readonly Condition[]
  readonly decide: Decider
}

const KEY = argument(text(KEY_BYTES_MAX))
const ID = text(MESSAGE_ID_BYTES_MAX)
const VALUE = argument(value('anything of JSON', () => true))
const EXPIRES_AT = integer(0, EXPIRES_AT_MAX)
/** Most changes of a group that has one that expires: with each go two rows more. */
const EXPIRING_CHANGES_MAX = 300
const STAMP: Option<Stamp> = value('a stamp', isStamp)

const KIND = argument(oneOf('set', 'append', 'put', 'addIfAbsent', 'remove', 'delete'))
const CHANGES: Readonly<Record<Change['kind'], Table>> = {
  set: { kind: KIND, key: KEY, value: VALUE, expiresAt: EXPIRES_AT },
  append: { kind: KIND, key: KEY, id: ID, value: VALUE, expiresAt: EXPIRES_AT },
  put: { kind: KIND, key: KEY, id: argument(ID), value: VALUE, expiresAt: EXPIRES_AT },
  addIfAbsent: { kind: KIND, key: KEY, id: argument(ID), value: VALUE, expiresAt: EXPIRES_AT },
  remove: { kind: KIND, key: KEY, id: argument(ID) },
  delete: { kind: KIND, key: KEY },
}

const CONDITION = {
  key: KEY,
  id: ID,
  absent: value<true>('true', (given) => given === true),
  stamp: STAMP,
  last: value<Stamp | null>('a position or null', (given) => given === null || isStamp(given)),
}

const OPTIONS = {
  if: value<readonly unknown[]>('an array of conditions', Array.isArray),
  decide: byDefault<Decider>('anywhere', oneOf('anywhere', 'primary')),
}

/** @throws StorageError `INVALID_ARGUMENT` that names the change and its field. */
export function checkedChanges(given: readonly Change[]): readonly CheckedChange[] {
  checkArray('changes', given)
  if (given.length === 0) throw invalid('changes must not be empty')
  if (given.length > GROUP_OPERATIONS_MAX) {
    throw invalid(`changes must be at most ${GROUP_OPERATIONS_MAX}, got ${given.length}`)
  }
  const changes = given.map((change, i) => checkedChange(`changes[${i}]`, change))
  refuseTwice(changes)
  if (
    changes.length > EXPIRING_CHANGES_MAX &&
    changes.some(({ expiresAt }) => expiresAt !== undefined)
  ) {
    const limit = `at most ${EXPIRING_CHANGES_MAX} where one has expiresAt`
    throw invalid(`changes must be ${limit}, got ${changes.length}`)
  }
  return changes
}

export function checkedOptions(given: ChangesOptions | undefined): CheckedOptions {
  const { if: conditions = [], decide } = resolve('', given, OPTIONS)
  checkArray('if', conditions)
  if (conditions.length > GROUP_OPERATIONS_MAX) {
    throw invalid(
      `if must have at most ${GROUP_OPERATIONS_MAX} conditions, got ${conditions.length}`,
    )
  }
  return { conditions: conditions.map((each, i) => checkedCondition(`if[${i}]`, each)), decide }
}

function checkedChange(path: string, given: Change): CheckedChange {
  checkObject(path, given)
  const { kind } = fieldsOf(path, given as { readonly kind?: unknown })
  const known = KIND.check(`${path}.kind`, kind)
  const fields = resolve(path, given, CHANGES[known]) as {
    readonly key: string
    readonly id?: string
    readonly value?: unknown
    readonly expiresAt?: number
  }
  const { key, id, expiresAt } = fields
  const checked = { kind: known, key, ...(id !== undefined && { id }) }
  if (!('value' in CHANGES[known])) return checked
  const json = encodeJson(fields.value, `${path}.value`)
  if (expiresAt === undefined) return { ...checked, text: json }
  checkExpiringKey(key)
  return { ...checked, text: withExpiry(json, expiresAt), expiresAt }
}

function checkedCondition(path: string, given: unknown): Condition {
  checkObject(path, given)
  const { key, id, ...wanted } = resolve(path, given, CONDITION)
  const names = Object.keys(wanted)
  const [name] = names
  if (name === undefined || names.length > 1 || (name === 'last' && id !== undefined)) {
    const forms =
      '{ key, absent }, { key, stamp }, { key, id, absent }, { key, id, stamp }, { key, last }'
    throw invalid(
      `${path} must be one of ${forms}, got ${showValue(Object.keys(given).join(', '))}`,
    )
  }
  return { key, ...(id !== undefined && { id }), ...wanted } as Condition
}

/** Of two changes of one thing nobody could say which one a result is about. */
function refuseTwice(changes: readonly CheckedChange[]): void {
  const seen = new Set<string>()
  const keys = new Map<string, number>()
  for (const { key } of changes) keys.set(key, (keys.get(key) ?? 0) + 1)
  for (const [i, { kind, key, id }] of changes.entries()) {
    if (kind === 'delete' && keys.get(key)! > 1) {
      throw invalid(`changes[${i}] deletes ${JSON.stringify(key)}, which another change is about`)
    }
    if (kind === 'append' && id === undefined) continue
    const name = id === undefined ? key : itemName({ key, id })
    if (seen.has(name)) throw invalid(`changes[${i}] is about the same as another change`)
    seen.add(name)
  }
}

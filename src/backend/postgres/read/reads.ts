import type { JsonText } from '../../../core/json.ts'
import { byPosition, type Item } from '../../../core/merge.ts'
import { STAMP_MAX, STAMP_MIN, stampFloor, stampMs, type Stamp } from '../../../core/stamp.ts'
import { groupOf } from '../../key-group.ts'
import { compareLatest } from '../../key-states.ts'
import type {
  CountRead,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  KeyReads,
  LatestKey,
  LatestPage,
  LatestQuery,
  ReplicaState,
} from '../../replica-backend.ts'
import { joinReads } from '../../read-registers.ts'
import { TOUCHED_LAG_MS } from '../rows/head-sql.ts'
import { itemKeyOf } from '../rows/item-key.ts'
import { checkClear, damagedKey } from '../rows/key-row.ts'
import { itemFrom, itemOfPage } from '../rows/item-row.ts'
import type { PgStatement } from '../connection/pg-types.ts'
import { prefixEnd } from '../../../core/text.ts'
import type { Ask } from './ranges.ts'
import {
  countSql,
  itemsSql,
  keysSql,
  latestSql,
  pageSql,
  registerSql,
  registersSql,
  hintsOnlySql,
  stateSql,
} from './read-sql.ts'
import { prepared, statementOf } from '../connection/statement.ts'
import type { Tables } from '../rows/tables.ts'

type Row = Record<string, unknown>

interface Mark {
  readonly identity: string
  readonly deletedThrough?: Stamp
}

export async function readRegister(ask: Ask, tables: Tables, key: string): Promise<KeyRead> {
  const { rows } = await ask(prepared(registerSql(tables), [key]))
  return registerOf(key, rows[0]!)
}

export async function readRegisters(
  ask: Ask,
  tables: Tables,
  keys: readonly string[],
): Promise<KeyReads> {
  const { rows } = await ask(prepared(registersSql(tables), [keys]))
  const reads: KeyRead[] = []
  for (const row of rows) {
    const at = Number(row['at']) - 1
    reads[at] = registerOf(keys[at]!, row)
  }
  return joinReads(reads)
}

export async function readItems(ask: Ask, tables: Tables, query: ItemQuery): Promise<ItemPage> {
  const { rows } = await ask(pageStatement(tables, query))
  const mark = rows.find(({ item }) => item === null)!
  const clear = (mark['rest'] as string | null)?.split(' ')
  const [deletedThrough, digest] = (clear ?? []) as [Stamp?, string?]
  checkClear(query.key, deletedThrough, digest)
  const items: Item[] = []
  for (const row of rows) {
    const item = row === mark ? undefined : itemOfPage(row, deletedThrough)
    if (item !== undefined) items.push(item)
  }
  items.sort(byPosition)
  if (query.order === 'newest') items.reverse()
  const done = items.length <= query.limit
  if (!done) items.length = query.limit
  return {
    identity: mark['appended'] as string,
    ...(deletedThrough !== undefined && { deletedThrough }),
    items,
    done,
  }
}

const PAGES = {
  newest: {
    visible: statementOf((tables) => pageSql(tables, 'newest', false)),
    all: statementOf((tables) => pageSql(tables, 'newest', true)),
  },
  oldest: {
    visible: statementOf((tables) => pageSql(tables, 'oldest', false)),
    all: statementOf((tables) => pageSql(tables, 'oldest', true)),
  },
} as const

/** The statement of a page: one row more than asked for tells whether there is more. */
function pageStatement(tables: Tables, query: ItemQuery): PgStatement {
  const { key, before = STAMP_MAX, after = STAMP_MIN, limit, order, includeRemoved = false } = query
  const statement = PAGES[order][includeRemoved ? 'all' : 'visible']
  return statement(tables, [key, after, before, limit + 1])
}

export async function readItemsById(
  ask: Ask,
  tables: Tables,
  key: string,
  ids: readonly string[],
): Promise<ItemPage> {
  const items = ids.map((id) => itemKeyOf(id).item)
  const { rows } = await ask(prepared(itemsSql(tables), [key, items]))
  const mark = markOf(key, rows[0]!)
  return { ...mark, items: itemsFrom(rows, mark.deletedThrough), done: true }
}

export async function countItems(ask: Ask, tables: Tables, key: string): Promise<CountRead> {
  const { rows } = await ask(prepared(countSql(tables), [key]))
  return { ...markOf(key, rows[0]!), count: Number(rows[0]!['count']) }
}

export async function listKeys(
  ask: Ask,
  tables: Tables,
  { prefix, after, limit }: KeyQuery,
): Promise<KeyPage> {
  const values = [prefix, prefixEnd(prefix) ?? null, after ?? null, limit + 1]
  const { rows } = await ask(prepared(keysSql(tables), values))
  const keys = rows.map((row) => row['key'] as string | null).filter((key) => key !== null)
  return {
    identity: rows[0]!['identity'] as string,
    keys: keys.slice(0, limit),
    done: keys.length <= limit,
  }
}

/** Keys looked at in the first round trip, at least, and in any. Each next one looks at twice as many. */
const LATEST_ROWS_MIN = 100
const LATEST_ROWS_MAX = 10_000

/**
 * Keys are read in the order in which they were touched, with their exact latest position. That is
 * at most `TOUCHED_LAG_MS` above `touched`, so the page is certain once it is full of keys later than
 * that bound of the next one. Keys that were touched without a new message (an edit, a removal) are
 * passed over, so a page far down costs the pages above it.
 */
export async function listLatest(
  ask: Ask,
  tables: Tables,
  { prefix, before, limit }: LatestQuery,
): Promise<LatestPage> {
  const found: LatestKey[] = []
  const group = groupOf(prefix)
  const text = latestSql(tables, group !== undefined)
  let chunk = Math.max(LATEST_ROWS_MIN, 2 * limit)
  let touched: Stamp = STAMP_MAX
  // Sorts above every key: the first page starts at the very end.
  let key = '\u{10FFFF}'.repeat(300)
  for (;;) {
    const bounds = [prefix, prefixEnd(prefix) ?? null, touched, key, chunk]
    const values = group === undefined ? bounds : [...bounds, group]
    const { rows } = await ask(prepared(text, values))
    const candidates = rows.filter((row) => row['key'] !== null)
    for (const row of candidates) {
      const latest = row['latest'] as Stamp | null
      touched = row['touched'] as Stamp
      key = row['key'] as string
      if (latest === null) continue
      // The order in which keys come would be another one.
      if (latest >= boundOf(touched)) throw damagedKey(key)
      if (before === undefined || compareLatest({ key, latest }, before) > 0) {
        found.push({ key, latest })
      }
    }
    found.sort(compareLatest)
    const last = found[limit]
    const isEnd = candidates.length < chunk
    if (isEnd || (last !== undefined && last.latest >= boundOf(touched))) {
      const identity = rows[0]!['identity'] as string
      return { identity, keys: found.slice(0, limit), done: found.length <= limit }
    }
    chunk = Math.min(LATEST_ROWS_MAX, 2 * chunk)
  }
}

export async function readState(ask: Ask, tables: Tables, writer: string): Promise<ReplicaState> {
  const { rows } = await ask(prepared(stateSql(tables), [writer]))
  const row = rows[0]!
  const trusted = row['trusted'] as string | null
  const head = row['head'] as Stamp | null
  const lsn = row['lsn'] as string | null
  return {
    ...hintListOf(row),
    ...(trusted !== null && { trusted }),
    ...(head !== null && { head }),
    ...(lsn !== null && { cursor: Number(lsn) }),
    nowMs: Number(row['now_ms']),
  }
}

export async function readHints(ask: Ask, tables: Tables): Promise<HintList> {
  const { rows } = await ask(prepared(hintsOnlySql(tables), []))
  return hintListOf(rows[0]!)
}

/** The number of removals: a sequence would change before the transaction that raises a hint ends. */
function hintListOf(row: Row): HintList {
  const counts = row['counts'] as string[]
  return {
    identity: row['identity'] as string,
    hints: (row['writers'] as string[]).map((writer, i) => ({ writer, count: Number(counts[i]) })),
    hintVersion: Number(row['hints_removed'] ?? 0),
  }
}

function registerOf(key: string, row: Row): KeyRead {
  const stamp = row['stamp'] as Stamp | null
  return {
    ...markOf(key, row),
    ...(stamp !== null && { register: { stamp, value: row['value'] as JsonText } }),
  }
}

function markOf(key: string, row: Row): Mark {
  const deletedThrough = (row['d'] ?? undefined) as Stamp | undefined
  const identity = row['identity'] as string
  checkClear(key, deletedThrough, row['d_digest'] ?? undefined)
  return deletedThrough === undefined ? { identity } : { identity, deletedThrough }
}

/** A join without rows answers with one row of NULLs. */
function itemsFrom(rows: readonly Row[], deletedThrough: Stamp | undefined): Item[] {
  return rows
    .filter((row) => row['item'] !== null)
    .map((row) => itemFrom(row, deletedThrough))
    .filter((item) => item !== undefined)
}

/** No key that was touched before this one has an item above it. */
function boundOf(touched: Stamp): Stamp {
  return stampFloor(stampMs(touched) + TOUCHED_LAG_MS + 1)
}

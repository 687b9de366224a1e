import type { BatchCall } from '../../batcher.ts'
import { appendResults, appendStatement } from './append-batch.ts'
import { Batch } from './batch.ts'
import { applyLocked, type LockedResult } from './locked-batch.ts'
import type { Session } from '../connection/session.ts'
import type { Tables } from '../rows/tables.ts'

/**
 * Applies the calls, in one statement where that is enough, else in one transaction. A caller's id
 * that turns out to stand already is judged in a second transaction of its own.
 */
export async function applyCalls(
  session: Session,
  tables: Tables,
  calls: readonly BatchCall[],
): Promise<LockedResult> {
  const appends = appendStatement(tables, calls)
  if (appends !== undefined) {
    const { rows } = await session.write(appends)
    return { results: appendResults(calls, rows[0]!), unswept: [] }
  }
  const batch = new Batch()
  if (!calls.every((call) => batch.add(call))) return await applyLocked(session, tables, calls)

  const { rows } = await session.write(batch.statement(tables))
  const answers = batch.results(rows[0]!)
  const missed = calls.filter((_call, i) => answers[i] === undefined)
  if (missed.length === 0) return { results: answers.map((answer) => answer!), unswept: [] }

  const rest = await applyLocked(session, tables, missed.map(withoutMarks))
  const late = [...rest.results]
  return { results: answers.map((answer) => answer ?? late.shift()!), unswept: rest.unswept }
}

/** The first statement has written them. */
function withoutMarks({ operations, decide, unique }: BatchCall): BatchCall {
  return { operations, decide, unique }
}

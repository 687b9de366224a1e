import { hash } from 'node:crypto'
import type { PgStatement } from './pg-types.ts'
import type { Tables } from '../rows/tables.ts'

const names = new Map<string, string>()

/**
 * A statement that each connection prepares once. The name follows from the text, so that backends
 * with other tables can share a pool.
 */
export function prepared(text: string, values: unknown[]): PgStatement {
  return { name: nameOf(text), text, values }
}

/**
 * The same for a text that follows from the tables alone: it is put together once for each of them,
 * not at every call.
 */
export function statementOf(
  textOf: (tables: Tables) => string,
): (tables: Tables, values: unknown[]) => PgStatement {
  const known = new WeakMap<Tables, { readonly name: string; readonly text: string }>()
  return (tables, values) => {
    let statement = known.get(tables)
    if (statement === undefined) {
      const text = textOf(tables)
      known.set(tables, (statement = { name: nameOf(text), text }))
    }
    return { name: statement.name, text: statement.text, values }
  }
}

function nameOf(text: string): string {
  let name = names.get(text)
  if (name === undefined) {
    names.set(text, (name = `everthread_${hash('sha1', text, 'hex').slice(0, 16)}`))
  }
  return name
}

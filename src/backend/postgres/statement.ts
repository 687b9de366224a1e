import { hash } from 'node:crypto'
import type { PgStatement } from './pg-types.ts'

const names = new Map<string, string>()

/**
 * A statement that each connection prepares once. The name follows from the text, so that backends
 * with other tables can share a pool.
 */
export function prepared(text: string, values: unknown[]): PgStatement {
  let name = names.get(text)
  if (name === undefined) {
    names.set(text, (name = `everthread_${hash('sha1', text, 'hex').slice(0, 16)}`))
  }
  return { name, text, values }
}

import { loadSqliteDriver } from '../src/backend/sqlite/connection/driver.ts'
import { itemBytes } from '../src/backend/sqlite/rows/stamp-bytes.ts'
import type { DamagedValue } from '../src/testing/backend/context.ts'

const KEY_ID = '(SELECT key_id FROM everthread_keys WHERE key = ?1)'

/** Changes a stored value of a SQLite file, and nothing else of its row. */
export async function damageSqlite(
  path: string,
  { key, part, id }: DamagedValue,
  text = 'damaged',
): Promise<void> {
  const driver = await loadSqliteDriver()
  const database = driver.open(path)
  try {
    const statement =
      part === 'register'
        ? database.prepare('UPDATE everthread_keys SET register = ?2 WHERE key = ?1')
        : database.prepare(
            `UPDATE everthread_items SET ${part} = ?2 WHERE key_id = ${KEY_ID} AND item = ?3`,
          )
    const values = part === 'register' ? [key, text] : [key, text, itemBytes(id!)]
    if (Number(statement.run(...values).changes) !== 1) throw new Error('nothing to damage')
  } finally {
    database.close()
  }
}

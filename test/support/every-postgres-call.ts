import type { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import { STAMP_MAX, STAMP_MIN } from '../../src/core/stamp.ts'
import { message, nextStamp } from './messages.ts'

/** Everything a connected engine can be asked for, so that each of its statements is sent. */
export async function everyCall(backend: PostgresBackend): Promise<void> {
  const range = { from: STAMP_MIN, to: STAMP_MAX }
  await backend.migrate()
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => backend.apply([message(`k${n}`, n)], { decide: true })),
  )
  const first = message('k', 1, 'first')
  await backend.apply([first], { decide: true, unique: true })
  await backend.apply([first, message('k', 2, 'second')], { decide: true, unique: true })
  await backend.apply([{ ...first, change: 'remove', stamp: nextStamp() }], { decide: true })
  await backend.apply(Array.from({ length: 1_100 }, (_, n) => message('long', n)))
  await backend.apply([message('h')], { hint: 'w', cursor: { writer: 'w', lsn: 3 } })
  await backend.set('r', 1)
  await backend.get('r')
  await backend.apply([{ kind: 'delete', key: 'long', stamp: nextStamp() }], { decide: true })
  await backend.readItems({ key: 'k', limit: 10, order: 'newest' })
  await backend.readItemsById('k', ['first'])
  await backend.countItems('k', { timeoutMs: 60_000 })
  await backend.listKeys({ prefix: '', limit: 10 })
  await backend.listLatest({ prefix: '', limit: 10 })
  const { hints } = await backend.readState('w')
  await backend.removeHints(hints)
  await backend.trust('other')
  await backend.lease({ name: 'l', holder: 'h', ttlMs: 1_000 })
  await backend.digest(range, 64)
  for await (const operation of backend.scan(range)) await backend.repair([operation])
  for await (const part of backend.checkParts()) throw new Error(`${part.name} is damaged`)
  await backend.mendParts()
  await backend.getSchema()
  await backend.getServerInfo()
  await backend.maintenance()
}

// Goal: what memory alone owes is in the log soon after the log is back. Method: a log in memory behind a
// switch, virtual time.
import { expect, test } from 'vitest'
import { append, stampAt } from '../testing/backend/operations.ts'
import { virtualEnv } from '../testing/virtual-env.ts'
import { MemoryWal } from './memory/memory-wal.ts'
import { WALManager } from './wal-manager.ts'
import type { WAL } from './wal.ts'

function switched(inner: MemoryWal): { wal: WAL; set(isOut: boolean): void } {
  let isOut = false
  const wal = new Proxy<WAL>(inner, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      if (name === 'append' && isOut) return () => Promise.reject(new Error('the log is out'))
      return (member as (...args: unknown[]) => unknown).bind(target)
    },
  })
  return { wal, set: (value) => void (isOut = value) }
}

test('a long outage of the log is over for all groups a moment after its end', async () => {
  const env = virtualEnv()
  const { wal, set } = switched(new MemoryWal(env))
  const manager = new WALManager(env, wal)
  await manager.open('w')
  set(true)
  for (let i = 0; i < 1_000; i++) {
    const ticket = manager.issue([append('k', stampAt(i), 'x')])
    await ticket.log().catch(() => {})
    ticket.acknowledge()
  }
  await env.advance(5_000)
  expect(manager.getStats().owedGroups).toBe(1_000)
  set(false)
  await env.advance(2_000)
  expect(manager.getStats().owedGroups).toBe(0)
  expect(manager.getStats().log?.entries).toBe(1_000)
  await manager.close()
  await env.advance(2_000)
  expect(env.pendingTimers()).toBe(0)
})

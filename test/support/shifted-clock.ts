import type { ReplicaBackend, ReplicaState } from '../../src/backend/replica-backend.ts'

/** How far a server's clock is off. */
export interface ShiftedClock {
  /** Milliseconds; the test may change it at any time. Undefined: the server has no clock, as SQLite. */
  ms: number | undefined
}

/** A database whose server has a clock that is off by this much. */
export function shiftedClock<Backend extends ReplicaBackend>(
  inner: Backend,
  shift: ShiftedClock,
): Backend {
  return new Proxy(inner, {
    get(target, name: string) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      const method = (member as (...args: unknown[]) => unknown).bind(target)
      if (name !== 'readState') return method
      return async (...args: unknown[]) => {
        const state = (await method(...args)) as ReplicaState
        const { nowMs = 0, ...rest } = state
        return shift.ms === undefined ? rest : { ...rest, nowMs: nowMs + shift.ms }
      }
    },
  })
}

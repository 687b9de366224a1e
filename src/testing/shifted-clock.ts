import type { ReplicaBackend, ReplicaState } from '../backend/replica-backend.ts'

/** How far a server's clock is off. */
export interface ShiftedClock {
  /** Milliseconds; the test may change it at any time. */
  ms: number
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
        return { ...state, nowMs: (state.nowMs ?? 0) + shift.ms }
      }
    },
  })
}

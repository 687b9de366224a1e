import { unreachable } from '../core/errors.ts'

/*
 * The circuit of one place as a pure function; SPEC.md has the table and what is promised.
 * All moments are on the monotonic clock, in milliseconds.
 */

/** The state of a circuit. */
export type Circuit =
  | {
      readonly kind: 'closed'
      /** Moments of the failures within the window, oldest first. */
      readonly failuresMs: readonly number[]
    }
  | { readonly kind: 'open'; readonly openedMs: number }
  | {
      readonly kind: 'half-open'
      /** Successes in a row since it was half-open. */
      readonly successes: number
      /** When the call that is on trial was let through; absent while none is. */
      readonly trialMs?: number
    }

/**
 * - `success`, `failure`: a call or probe of the place ended so.
 * - `ignored`: a call ended with an error that says nothing about the place.
 * - `trial`: a call is let through, to see how it fares.
 * - `tick`: time has passed.
 */
export type CircuitEvent = {
  readonly kind: 'success' | 'failure' | 'ignored' | 'trial' | 'tick'
  readonly nowMs: number
}

/** When the state changes; see `CircuitBreakerConfig`. */
export interface CircuitLimits {
  readonly failureThreshold: number
  readonly failureWindow: number
  readonly circuitOpenDuration: number
  readonly recoverySuccessThreshold: number
}

/** Where every circuit begins. */
export const CLOSED_CIRCUIT: Circuit = { kind: 'closed', failuresMs: [] }

/** The next state. The caller holds the state and the clock. */
export function transition(circuit: Circuit, event: CircuitEvent, limits: CircuitLimits): Circuit {
  switch (circuit.kind) {
    case 'closed':
      return event.kind === 'failure' ? fail(circuit.failuresMs, event.nowMs, limits) : circuit
    case 'open':
      // What ends now was sent before it opened, or is a probe: only time counts.
      return event.kind === 'tick' && event.nowMs - circuit.openedMs >= limits.circuitOpenDuration
        ? { kind: 'half-open', successes: 0 }
        : circuit
    case 'half-open':
      return tryOut(circuit, event, limits)
    default:
      return unreachable(circuit)
  }
}

/** True when a call may be let through: always while closed, one at a time while half-open. */
export function allowsCall(circuit: Circuit): boolean {
  return circuit.kind === 'closed' || (circuit.kind === 'half-open' && !isOnTrial(circuit))
}

function fail(failuresMs: readonly number[], nowMs: number, limits: CircuitLimits): Circuit {
  const recent = failuresMs.filter((atMs) => nowMs - atMs < limits.failureWindow)
  recent.push(nowMs)
  return recent.length >= limits.failureThreshold
    ? { kind: 'open', openedMs: nowMs }
    : { kind: 'closed', failuresMs: recent }
}

function tryOut(
  circuit: Circuit & { readonly kind: 'half-open' },
  { kind, nowMs }: CircuitEvent,
  limits: CircuitLimits,
): Circuit {
  const { successes } = circuit
  switch (kind) {
    case 'success':
      return successes + 1 >= limits.recoverySuccessThreshold
        ? CLOSED_CIRCUIT
        : { kind: 'half-open', successes: successes + 1 }
    case 'failure':
      return { kind: 'open', openedMs: nowMs }
    case 'ignored':
      return { kind: 'half-open', successes }
    case 'trial':
      return { kind: 'half-open', successes, trialMs: nowMs }
    case 'tick':
      // A call that is never judged must not keep the place out for ever.
      return isOnTrial(circuit) && nowMs - circuit.trialMs >= limits.circuitOpenDuration
        ? { kind: 'half-open', successes }
        : circuit
    default:
      return unreachable(kind)
  }
}

function isOnTrial(circuit: Circuit): circuit is Circuit & { readonly trialMs: number } {
  return circuit.kind === 'half-open' && circuit.trialMs !== undefined
}

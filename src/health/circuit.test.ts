import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CLOSED_CIRCUIT,
  transition,
  type Circuit,
  type CircuitEvent,
  type CircuitLimits,
} from './circuit.ts'

const LIMITS: CircuitLimits = {
  failureThreshold: 3,
  failureWindow: 10_000,
  circuitOpenDuration: 2_000,
  recoverySuccessThreshold: 2,
}

const NOW = 100_000

/** One state of each kind, on the brink of what its events can do. */
const BRINK: Record<Circuit['kind'], Circuit> = {
  closed: { kind: 'closed', failuresMs: [NOW - 2, NOW - 1] },
  open: { kind: 'open', openedMs: NOW - LIMITS.circuitOpenDuration },
  'half-open': {
    kind: 'half-open',
    successes: 1,
    trialMs: NOW - LIMITS.circuitOpenDuration,
  },
}

/** The same states, far from it. */
const CALM: Record<Circuit['kind'], Circuit> = {
  closed: CLOSED_CIRCUIT,
  open: { kind: 'open', openedMs: NOW - 1 },
  'half-open': { kind: 'half-open', successes: 0, trialMs: NOW - 1 },
}

type Table = Record<Circuit['kind'], Record<CircuitEvent['kind'], Circuit>>

// `Record` makes a pair of state and event that is not specified a compile error.
const FROM_BRINK: Table = {
  closed: {
    success: BRINK.closed,
    failure: { kind: 'open', openedMs: NOW },
    ignored: BRINK.closed,
    trial: BRINK.closed,
    tick: BRINK.closed,
  },
  open: {
    success: BRINK.open,
    failure: BRINK.open,
    ignored: BRINK.open,
    trial: BRINK.open,
    tick: { kind: 'half-open', successes: 0 },
  },
  'half-open': {
    success: CLOSED_CIRCUIT,
    failure: { kind: 'open', openedMs: NOW },
    ignored: { kind: 'half-open', successes: 1 },
    trial: { kind: 'half-open', successes: 1, trialMs: NOW },
    tick: { kind: 'half-open', successes: 1 },
  },
}

const FROM_CALM: Table = {
  closed: {
    success: CALM.closed,
    failure: { kind: 'closed', failuresMs: [NOW] },
    ignored: CALM.closed,
    trial: CALM.closed,
    tick: CALM.closed,
  },
  open: {
    success: CALM.open,
    failure: CALM.open,
    ignored: CALM.open,
    trial: CALM.open,
    tick: CALM.open,
  },
  'half-open': {
    success: { kind: 'half-open', successes: 1 },
    failure: { kind: 'open', openedMs: NOW },
    ignored: { kind: 'half-open', successes: 0 },
    trial: { kind: 'half-open', successes: 0, trialMs: NOW },
    tick: CALM['half-open'],
  },
}

const ROWS = [
  ['on the brink', BRINK, FROM_BRINK],
  ['far from it', CALM, FROM_CALM],
] as const

describe.each(ROWS)('%s', (_name, states, table) => {
  const pairs = Object.entries(table).flatMap(([state, row]) =>
    Object.entries(row).map(([event, next]) => [state, event, next] as const),
  )
  test.each(pairs)('%s after %s', (state, event, next) => {
    const from = states[state as Circuit['kind']]
    expect(transition(from, { kind: event as CircuitEvent['kind'], nowMs: NOW }, LIMITS)).toEqual(
      next,
    )
  })
})

test('failures further apart than the window do not add up', () => {
  let circuit: Circuit = CLOSED_CIRCUIT
  for (let i = 0; i < 20; i++) {
    const nowMs = i * (LIMITS.failureWindow / 2)
    circuit = transition(circuit, { kind: 'failure', nowMs }, LIMITS)
  }
  expect(circuit.kind).toBe('closed')
})

// Goal: C1, C2 and C4 of SPEC.md for every history.
// Method: a random history of events goes through the machine and, beside it, a plain list that the
// promises are read off.
test('any history keeps the promises of SPEC.md', () => {
  const event = fc.record({
    kind: fc.constantFrom('success', 'failure', 'ignored', 'trial', 'tick'),
    afterMs: fc.integer({ min: 0, max: 4_000 }),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let circuit: Circuit = CLOSED_CIRCUIT
      let nowMs = 0
      let failures: number[] = []
      let streak = 0
      for (const { kind, afterMs } of events) {
        nowMs += afterMs
        circuit = transition(circuit, { kind: 'tick', nowMs }, LIMITS)
        if (circuit.kind === 'open') {
          expect(nowMs - circuit.openedMs).toBeLessThan(LIMITS.circuitOpenDuration)
        }
        const before: Circuit = circuit
        if (before.kind === 'closed' && kind === 'failure') failures.push(nowMs)
        if (before.kind === 'half-open' && kind === 'success') streak++
        circuit = transition(before, { kind, nowMs }, LIMITS)
        if (before.kind === 'closed' && circuit.kind === 'open') {
          const first = failures.at(-LIMITS.failureThreshold)
          expect(nowMs - first!).toBeLessThan(LIMITS.failureWindow)
        }
        if (before.kind === 'half-open' && circuit.kind === 'closed') {
          expect(streak).toBe(LIMITS.recoverySuccessThreshold)
        }
        if (circuit.kind !== 'half-open') streak = 0
        if (circuit.kind !== 'closed') failures = []
      }
    }),
  )
})

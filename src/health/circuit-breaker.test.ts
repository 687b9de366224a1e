import { describe, expect, test } from 'vitest'
import { invalid } from '../core/errors.ts'
import { healthConformance } from '../testing/health-conformance.ts'
import { virtualEnv, type VirtualEnv } from '../testing/virtual-env.ts'
import { CircuitBreakerHealthManager, type CircuitBreakerConfig } from './circuit-breaker.ts'

healthConformance({
  name: 'CircuitBreakerHealthManager',
  create: (env, healthCheckInterval) =>
    new CircuitBreakerHealthManager(env, { healthCheckInterval, maxFailureHistory: 3 }),
})

const DOWN = new Error('down')

function opened(config: CircuitBreakerConfig = {}): {
  env: VirtualEnv
  health: CircuitBreakerHealthManager
} {
  const env = virtualEnv()
  const health = new CircuitBreakerHealthManager(env, config)
  while (health.isHealthy('primary')) health.markFailure('primary', DOWN, 'save')
  return { env, health }
}

describe('the circuit of a place', () => {
  test('opens at the threshold, whatever succeeds between the failures', () => {
    const health = new CircuitBreakerHealthManager(virtualEnv(), { failureThreshold: 2 })
    health.markFailure('primary', DOWN, 'save')
    health.markSuccess('primary', 'save', 1)
    expect(health.isHealthy('primary')).toBe(true)
    health.markFailure('primary', DOWN, 'save')
    expect(health.isHealthy('primary')).toBe(false)
  })

  test('lets nothing through until its time is over', async () => {
    const { env, health } = opened({ circuitOpenDuration: 1_000 })
    await env.advance(999)
    expect(health.isHealthy('primary')).toBe(false)
    await env.advance(1)
    expect(health.getHealthStats('primary')).toMatchObject({ circuit: 'half-open', healthy: false })
    expect(health.isHealthy('primary')).toBe(true)
  })

  test('is not moved by a wall clock that jumps', () => {
    const { env, health } = opened()
    env.jumpWallClock(3_600_000)
    expect(health.isHealthy('primary')).toBe(false)
  })

  test('half-open it admits one call at a time, and looking at the stats admits none', async () => {
    const { env, health } = opened({ recoverySuccessThreshold: 2 })
    await env.advance(2_000)
    health.getAllHealthStats()
    expect([health.isHealthy('primary'), health.isHealthy('primary')]).toEqual([true, false])
    health.markSuccess('primary', 'save', 1)
    expect([health.isHealthy('primary'), health.isHealthy('primary')]).toEqual([true, false])
    health.markSuccess('primary', 'save', 1)
    expect(health.getHealthStats('primary').circuit).toBe('closed')
    expect([health.isHealthy('primary'), health.isHealthy('primary')]).toEqual([true, true])
  })

  test('a call on trial that is never judged gives its turn up after a while', async () => {
    const { env, health } = opened({ circuitOpenDuration: 1_000 })
    await env.advance(1_000)
    expect(health.isHealthy('primary')).toBe(true)
    await env.advance(999)
    expect(health.isHealthy('primary')).toBe(false)
    await env.advance(1)
    expect(health.isHealthy('primary')).toBe(true)
  })

  test('a caller’s mistake ends a trial, but counts neither for nor against the place', async () => {
    const { env, health } = opened({ recoverySuccessThreshold: 1 })
    await env.advance(2_000)
    expect(health.isHealthy('primary')).toBe(true)
    health.markFailure('primary', invalid('wrong'), 'save')
    expect(health.getHealthStats('primary').circuit).toBe('half-open')
    expect(health.isHealthy('primary')).toBe(true)
  })

  test('one failure while half-open opens it for the whole time again', async () => {
    const { env, health } = opened({ circuitOpenDuration: 1_000 })
    await env.advance(1_000)
    health.markSuccess('primary', 'probe', 1)
    health.markFailure('primary', DOWN, 'save')
    await env.advance(999)
    expect(health.isHealthy('primary')).toBe(false)
  })

  test('late successes of an open circuit do not close it', () => {
    const { health } = opened()
    for (let i = 0; i < 10; i++) health.markSuccess('primary', 'save', 1)
    expect(health.isHealthy('primary')).toBe(false)
  })

  test('tells when it opens and when it is closed again, and nothing between', async () => {
    const { env, health } = opened({ recoverySuccessThreshold: 1 })
    const changes: boolean[] = []
    health.on('change', ({ healthy }) => changes.push(healthy))
    await env.advance(2_000)
    health.isHealthy('primary')
    health.markFailure('primary', DOWN, 'save')
    await env.advance(2_000)
    health.markSuccess('primary', 'probe', 1)
    expect(changes).toEqual([true])
  })
})

test.each<[CircuitBreakerConfig, string]>([
  [{ failureThreshold: 0 }, 'failureThreshold'],
  [{ failureWindow: -1 }, 'failureWindow'],
  [{ circuitOpenDuration: 0.5 }, 'circuitOpenDuration'],
  [{ recoverySuccessThreshold: 0 }, 'recoverySuccessThreshold'],
  [{ healthCheckInterval: 0 }, 'healthCheckInterval'],
  [{ maxFailureHistory: 0 }, 'maxFailureHistory'],
  [{ latencyWindowSize: 0 }, 'latencyWindowSize'],
])('%j is refused by name', (config, name) => {
  const create = (): unknown => new CircuitBreakerHealthManager(virtualEnv(), config)
  expect(create).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error)
  expect(create).toThrow(name)
})

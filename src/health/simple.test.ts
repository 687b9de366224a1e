import { expect, test } from 'vitest'
import { healthConformance } from '../testing/health-conformance.ts'
import { virtualEnv } from '../testing/virtual-env.ts'
import { SimpleHealthManager } from './simple.ts'

healthConformance({
  name: 'SimpleHealthManager',
  create: (env, healthCheckInterval) =>
    new SimpleHealthManager(env, { healthCheckInterval, maxFailureHistory: 3 }),
})

test('the last outcome decides, and tells each change', () => {
  const health = new SimpleHealthManager(virtualEnv())
  const changes: boolean[] = []
  health.on('change', ({ healthy }) => changes.push(healthy))
  health.markFailure('primary', new Error('down'), 'save')
  expect(health.isHealthy('primary')).toBe(false)
  health.markSuccess('primary', 'probe', 1)
  expect(health.isHealthy('primary')).toBe(true)
  expect(changes).toEqual([false, true])
})

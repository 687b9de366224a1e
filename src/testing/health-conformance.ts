import { describe, expect, onTestFinished, test } from 'vitest'
import type { Env } from '../core/env.ts'
import { invalid, StorageError } from '../core/errors.ts'
import type { DatabasePlace } from '../core/places.ts'
import type { HealthManager } from '../health/health-manager.ts'
import { virtualEnv, type VirtualEnv } from './virtual-env.ts'

/** The manager under test. */
export interface HealthConformanceOptions {
  readonly name: string
  /** Makes a manager that keeps 3 failures and probes at this interval. Milliseconds. */
  readonly create: (env: Env, healthCheckInterval: number) => Required<HealthManager>
}

const INTERVAL_MS = 500
/** More failures than any manager under test tolerates. */
const MANY = 10

/** What every `Required<HealthManager>` promises. Registers its tests with vitest. */
export function healthConformance({ name, create }: HealthConformanceOptions): void {
  const setup = (): { env: VirtualEnv; health: Required<HealthManager> } => {
    const env = virtualEnv()
    const health = create(env, INTERVAL_MS)
    onTestFinished(async () => {
      await env.drive(Promise.resolve(health.stopHealthCheck()))
      expect(env.pendingTimers()).toBe(0)
    })
    return { env, health }
  }
  const failMany = (health: Required<HealthManager>, place: DatabasePlace): void => {
    for (let i = 0; i < MANY; i++) health.markFailure(place, new Error(`no ${i}`), 'save')
  }

  describe(`${name}: judging calls`, () => {
    test('a place is healthy until something is known against it', () => {
      const { health } = setup()
      expect(health.isHealthy('primary')).toBe(true)
      expect(health.getHealthStats('backup')).toEqual({
        place: 'backup',
        healthy: true,
        circuit: 'closed',
        successes: 0,
        failures: 0,
        consecutiveFailures: 0,
        latency: { samples: 0, p50: 0, p95: 0, p99: 0 },
        failureHistory: [],
      })
    })

    test('many failures make a place unhealthy, and leave the other one alone', () => {
      const { health } = setup()
      failMany(health, 'primary')
      expect([health.isHealthy('primary'), health.isHealthy('backup')]).toEqual([false, true])
      const stats = health.getAllHealthStats()
      expect(stats.primary).toMatchObject({ healthy: false, circuit: 'open', failures: MANY })
      expect(stats.backup).toMatchObject({ healthy: true, failures: 0 })
    })

    test.each([
      invalid('a caller’s mistake'),
      new StorageError('CONFLICT', 'there already'),
      new StorageError('NOT_FOUND', 'not there'),
      new StorageError('REJECTED', 'poison'),
      new StorageError('OVERLOADED', 'queue full'),
      new StorageError('CLOSED', 'closed'),
    ])('$code says nothing about the place', (error) => {
      const { health } = setup()
      for (let i = 0; i < MANY; i++) health.markFailure('primary', error, 'save')
      expect(health.isHealthy('primary')).toBe(true)
      expect(health.getHealthStats('primary').failures).toBe(0)
    })

    test('a flush counts as a success, and its latency does not', () => {
      const { health } = setup()
      health.markSuccess('primary', 'flush', 9_000)
      health.markSuccess('primary', 'apply', 2)
      expect(health.getHealthStats('primary')).toMatchObject({
        successes: 2,
        latency: { samples: 1, p99: 2 },
      })
    })

    test('stats count, keep the latest failures and measure', () => {
      const { env, health } = setup()
      for (const ms of [5, 1, 3]) health.markSuccess('primary', 'save', ms)
      failMany(health, 'primary')
      const stats = health.getHealthStats('primary')
      expect(stats).toMatchObject({
        successes: 3,
        failures: MANY,
        consecutiveFailures: MANY,
        lastSuccessMs: env.now(),
        latency: { samples: 3, p50: 3, p99: 5 },
      })
      expect(stats.failureHistory.map(({ message }) => message)).toEqual(['no 7', 'no 8', 'no 9'])
      expect(stats.lastFailure).toEqual(stats.failureHistory.at(-1))
      health.markSuccess('primary', 'save', 1)
      expect(health.getHealthStats('primary').consecutiveFailures).toBe(0)
    })
  })

  describe(`${name}: events`, () => {
    test('each failure is told, and a change once', () => {
      const { health } = setup()
      const changes: boolean[] = []
      const failures: string[] = []
      health.on('change', ({ place, healthy, stats }) => {
        expect([place, stats.healthy]).toEqual(['backup', healthy])
        changes.push(healthy)
      })
      health.on('failure', ({ failure }) => failures.push(failure.message))
      failMany(health, 'backup')
      expect(changes).toEqual([false])
      expect(failures).toHaveLength(MANY)
    })

    test('a listener that is removed or throws harms nobody', () => {
      const { health } = setup()
      const heard: string[] = []
      health.on('failure', () => {
        throw new Error('a bad listener')
      })
      const remove = health.on('failure', ({ place }) => heard.push(place))
      health.markFailure('primary', new Error('one'), 'save')
      remove()
      health.markFailure('primary', new Error('two'), 'save')
      expect(heard).toEqual(['primary'])
    })
  })

  describe(`${name}: probing`, () => {
    test('probes find an outage and its end without any call', async () => {
      const { env, health } = setup()
      let up = true
      health.startHealthCheck(async (place) => {
        if (place === 'primary' && !up) throw new Error('down')
      })
      await env.advance(INTERVAL_MS * 2)
      expect(health.getHealthStats('primary').healthy).toBe(true)
      up = false
      await env.advance(INTERVAL_MS * MANY)
      expect(health.getHealthStats('primary').healthy).toBe(false)
      expect(health.getHealthStats('backup').healthy).toBe(true)
      up = true
      await env.advance(INTERVAL_MS * 100)
      expect(health.getHealthStats('primary').healthy).toBe(true)
    })

    test('a probe that hangs counts as a failure and does not hold up the other place', async () => {
      const { env, health } = setup()
      let backupProbes = 0
      health.startHealthCheck(async (place) => {
        if (place === 'primary') await new Promise(() => {})
        backupProbes++
      })
      await env.advance(60_000)
      expect(health.getHealthStats('primary').healthy).toBe(false)
      expect(backupProbes).toBeGreaterThan(60_000 / INTERVAL_MS / 2)
    })

    test('probes of one place do not overlap, and starting twice makes no second loop', async () => {
      const { env, health } = setup()
      let running = 0
      let most = 0
      const probe = async (place: DatabasePlace): Promise<void> => {
        if (place !== 'primary') return
        most = Math.max(most, ++running)
        await new Promise<void>((resolve) => {
          env.setTimer(100, resolve)
        })
        running--
      }
      health.startHealthCheck(probe)
      health.startHealthCheck(probe)
      await env.advance(5_000)
      expect(most).toBe(1)
    })

    test('after stopping there is no probe, and starting again probes again', async () => {
      const { env, health } = setup()
      let probes = 0
      const probe = async (): Promise<void> => {
        probes++
      }
      health.startHealthCheck(probe)
      await env.advance(INTERVAL_MS)
      await health.stopHealthCheck()
      await health.stopHealthCheck()
      const seen = probes
      await env.advance(INTERVAL_MS * 10)
      expect(probes).toBe(seen)
      health.startHealthCheck(probe)
      await env.advance(0)
      expect(probes).toBeGreaterThan(seen)
    })
  })
}

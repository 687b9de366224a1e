import { expect, test } from 'vitest'
import { LatencyWindow } from './latency-window.ts'

test('without samples every percentile is 0', () => {
  expect(new LatencyWindow(4).stats()).toEqual({ samples: 0, p50: 0, p95: 0, p99: 0 })
})

test('percentiles are latencies that occurred, by nearest rank', () => {
  const window = new LatencyWindow(200)
  for (let ms = 100; ms >= 1; ms--) window.add(ms)
  expect(window.stats()).toEqual({ samples: 100, p50: 50, p95: 95, p99: 99 })
})

test('the oldest samples leave a full window', () => {
  const window = new LatencyWindow(3)
  for (const ms of [900, 900, 1, 2, 3]) window.add(ms)
  expect(window.stats()).toEqual({ samples: 3, p50: 2, p95: 3, p99: 3 })
})

test('latencies are sorted as numbers', () => {
  const window = new LatencyWindow(3)
  for (const ms of [10, 9, 100]) window.add(ms)
  expect(window.stats().p50).toBe(10)
})

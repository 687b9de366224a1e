import { expect, test } from 'vitest'
import { consoleLogger } from './node-logger.ts'

function setup(): {
  lines: string[]
  at: (ms: number) => void
  log: ReturnType<typeof consoleLogger>
} {
  const lines: string[] = []
  let now = 0
  const log = consoleLogger(
    (line) => void lines.push(line),
    () => now,
  )
  return { lines, at: (ms) => (now = ms), log }
}

test('warnings and errors are a line each, with place and reason; the rest is not printed', () => {
  const { lines, log } = setup()
  log.debug({}, 'no')
  log.info({}, 'no')
  log.warn({ place: 'backup', error: 'first\n  second' }, 'flush failed')
  log.error({ place: 'primary', reason: 'too large' }, 'entry of the primary quarantined')
  expect(lines).toEqual([
    'everthread: flush failed (backup: first second)',
    'everthread: entry of the primary quarantined (too large)',
  ])
})

test('what is said again and again is printed once a minute, whatever its reason', () => {
  const { lines, at, log } = setup()
  for (let ms = 0; ms < 120_000; ms += 1_000) {
    at(ms)
    log.warn({ error: `try at ${ms}` }, 'the WAL is still out')
  }
  expect(lines).toHaveLength(2)
})

test('each event is printed', () => {
  const { lines, log } = setup()
  for (let i = 0; i < 3; i++) log.warn({ event: 'back', place: 'primary' }, 'the primary is back')
  expect(lines).toHaveLength(3)
})

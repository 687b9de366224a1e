import { expect, test } from 'vitest'
import { SILENCE_MS } from './limits.ts'
import { Silence } from './silence.ts'

test('silence is over its limit once nothing new was shown for so long', () => {
  const silence = new Silence()
  expect(silence.isOver('log', '1', 0)).toBe(false)
  expect(silence.isOver('log', '1', SILENCE_MS / 3)).toBe(false)
  expect(silence.isOver('log', '2', (2 * SILENCE_MS) / 3)).toBe(false)
  for (let ms = SILENCE_MS; ms <= (5 * SILENCE_MS) / 3; ms += SILENCE_MS / 6) {
    expect(silence.isOver('log', '2', ms)).toBe(false)
  }
  expect(silence.isOver('log', '2', (5 * SILENCE_MS) / 3 + 1)).toBe(true)
})

test('what passed while the observer stood still is not silence', () => {
  const silence = new Silence()
  silence.isOver('log', '1', 0)
  expect(silence.isOver('log', '1', 86_400_000)).toBe(false)
})

test('a log that went is forgotten', () => {
  const silence = new Silence()
  silence.isOver('log', '1', 0)
  for (let ms = 0; ms <= SILENCE_MS; ms += 10_000) silence.isOver('log', '1', ms)
  silence.keep(new Set(['another log']))
  expect(silence.isOver('log', '1', SILENCE_MS + 1)).toBe(false)
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  isStamp,
  maxStamp,
  STAMP_MAX,
  STAMP_MIN,
  stampFloor,
  stampMs,
  StampClock,
  type Stamp,
} from './stamp.ts'

const writer = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

const START_MS = 1_000_000_000_000

/** A clock on a wall clock that the test sets. */
function clockAt(ms: number, options: object = {}) {
  const wall = { ms }
  return { wall, clock: new StampClock({ now: () => wall.ms, writer, ...options }) }
}

describe('stamps', () => {
  test('are version 7 UUIDs in canonical text with the time in front', () => {
    const { clock } = clockAt(0x0123_4567_89ab)
    const stamp = clock.tick()
    expect(stamp).toMatch(/^01234567-89ab-7000-[89ab]/)
    expect(isStamp(stamp)).toBe(true)
    expect(stampMs(stamp)).toBe(0x0123_4567_89ab)
  })

  test('anything else is no stamp', () => {
    const stamp = clockAt(1).clock.tick()
    for (const text of [
      '',
      stamp.toUpperCase(),
      `${stamp} `,
      stamp.replace('-7', '-4'),
      stamp.replaceAll('-', ''),
      STAMP_MIN,
      STAMP_MAX,
    ]) {
      expect(isStamp(text), text).toBe(text === stamp)
    }
  })

  test('a floor is at or below every stamp of its millisecond, and above those before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 48 - 1 }), (ms) => {
        const { wall, clock } = clockAt(ms - 1)
        const before = clock.tick()
        wall.ms = ms
        expect(before < stampFloor(ms)).toBe(true)
        expect(stampFloor(ms) <= clock.tick()).toBe(true)
        expect(stampMs(stampFloor(ms))).toBe(ms)
      }),
    )
    expect(stampFloor(-5)).toBe(STAMP_MIN)
  })

  test('maxStamp takes absent ones as the least', () => {
    const [a, b] = [stampFloor(1), stampFloor(2)]
    expect([
      maxStamp(a, b),
      maxStamp(b, a),
      maxStamp(undefined, a),
      maxStamp(a, undefined),
    ]).toEqual([b, b, a, a])
    expect(maxStamp(undefined, undefined)).toBeUndefined()
  })
})

describe('a stamp clock', () => {
  test('strictly increases, whatever the wall clock does and whatever it observes', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('wall' as const), ms: fc.integer({ min: 4_980, max: 5_020 }) }),
      fc.record({
        kind: fc.constant('observe' as const),
        ms: fc.integer({ min: 4_990, max: 5_010 }),
      }),
      fc.record({ kind: fc.constant('tick' as const), ms: fc.integer({ min: 1, max: 20 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { wall, clock } = clockAt(5_000)
        let last = STAMP_MIN
        for (const { kind, ms } of steps) {
          if (kind === 'wall') wall.ms = ms
          if (kind === 'observe') {
            const far = clockAt(ms).clock
            // Its counter is not 0: within one millisecond the counter decides.
            for (let i = 0; i < ms % 7; i++) far.tick()
            const other = far.tick()
            clock.observe(other)
            if (other > last) last = other
          }
          for (let i = 0; kind === 'tick' && i < ms; i++) {
            const next = clock.tick()
            expect(next > last).toBe(true)
            last = next
          }
        }
      }),
    )
  })

  // Found by an hour of faults with clocks that jumped: the floor of a key hid what was observed since.
  // And by the simulation: two keys that were ahead by the same got one stamp, and the shared log took
  // the second entry for a repeat of the first.
  test('exceeds all that was observed for a key, however its own clock and others jump', () => {
    const step = fc.record({
      wallMs: fc.integer({ min: 0, max: 4 }),
      key: fc.constantFrom('a', 'b'),
      seen: fc.option(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 2 }))),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { wall, clock } = clockAt(START_MS, { maxDriftMs: 1_000 })
        const greatest = new Map<string, Stamp>()
        const made = new Set<Stamp>()
        for (const { wallMs, key, seen } of steps) {
          wall.ms = START_MS + wallMs * 1_000
          if (seen !== null) {
            const hex = (START_MS + seen[0] * 1_000).toString(16).padStart(12, '0')
            const count = seen[1].toString(16).padStart(3, '0')
            const stamp = `${hex.slice(0, 8)}-${hex.slice(8)}-7${count}-bfff-ffffffffffff` as Stamp
            clock.observe(stamp, key)
            greatest.set(key, maxStamp(greatest.get(key), stamp)!)
          }
          const next = clock.tick(key)
          expect(next > (greatest.get(key) ?? STAMP_MIN)).toBe(true)
          greatest.set(key, next)
          made.add(next)
        }
        expect(made.size).toBe(steps.length)
      }),
      { numRuns: 2_000 },
    )
  })

  test('exceeds a stamp of its own millisecond with a greater counter', () => {
    const { clock } = clockAt(1_000)
    const ahead = clockAt(1_000).clock
    for (let i = 0; i < 9; i++) ahead.tick()
    clock.tick()
    const observed = ahead.tick()
    clock.observe(observed)
    expect(clock.tick() > observed).toBe(true)
  })

  test('goes to the next millisecond when the counter of one is used up', () => {
    const { clock } = clockAt(1_000)
    const stamps = Array.from({ length: 5_000 }, () => clock.tick())
    expect(new Set(stamps).size).toBe(5_000)
    expect(stamps.toSorted()).toEqual(stamps)
    expect(stampMs(stamps[4_095]!)).toBe(1_000)
    expect(stampMs(stamps[4_096]!)).toBe(1_001)
  })

  test('follows a stamp that is too far ahead for its key only, and reports it once', () => {
    const reports: string[] = []
    const { clock } = clockAt(1_000, {
      maxDriftMs: 100,
      onDrift: (aheadMs: number, key: string) => reports.push(`${key} ${aheadMs}`),
    })
    const far = clockAt(9_000).clock.tick()
    clock.observe(far, 'k')
    clock.observe(far, 'k')
    clock.observe(far)
    expect(reports).toEqual(['k 8000'])
    const next = [clock.tick('k'), clock.tick('k')]
    expect(next[0]! > far && next[1]! > next[0]!).toBe(true)
    expect(stampMs(clock.tick('other'))).toBe(1_000)
    expect(stampMs(clock.tick())).toBe(1_000)
  })

  test('is back on its own time for a key once the wall clock has passed its stamps', () => {
    const { wall, clock } = clockAt(1_000, { maxDriftMs: 100 })
    clock.observe(clockAt(9_000).clock.tick(), 'k')
    wall.ms = 9_500
    expect(stampMs(clock.tick('k'))).toBe(9_500)
  })

  test('exceeds a saved ceiling, and takes a measured skew out', () => {
    const { clock } = clockAt(1_000)
    clock.observeMs(2_000)
    expect(stampMs(clock.tick())).toBe(2_001)
    clock.correct(5_000)
    expect(clock.now()).toBe(6_000)
    expect(stampMs(clock.tick())).toBe(6_000)
  })

  test('ignores what is no stamp of the protocol', () => {
    const { clock } = clockAt(1_000)
    clock.observe(undefined)
    clock.observe(STAMP_MIN)
    clock.observe(STAMP_MAX)
    expect(stampMs(clock.tick())).toBe(1_000)
  })

  test('two writers never make the same stamp', () => {
    const other = new StampClock({ now: () => 1, writer: Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1) })
    const { clock } = clockAt(1)
    expect(other.writerId).not.toBe(clock.writerId)
    expect(other.tick()).not.toBe(clock.tick())
  })

  test('comes back from a leap ahead that a server says was wrong, and makes no stamp twice', () => {
    const step = fc.record({
      // Four minutes are no leap.
      minutes: fc.constantFrom(0, 0, 4, 10, 60, 400_000),
      key: fc.constantFrom('a', 'b', 'c'),
      heard: fc.constantFrom('before', 'after', 'never'),
      passMs: fc.integer({ min: 0, max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { wall, clock } = clockAt(START_MS)
        clock.judge(true)
        clock.correct(0)
        const made = new Set<Stamp>()
        const last = new Map<string, Stamp>()
        let trueMs = START_MS
        for (const { minutes, key, heard, passMs } of steps) {
          trueMs += passMs
          wall.ms = trueMs + minutes * 60_000
          if (heard === 'before') clock.correct(trueMs - wall.ms)
          const next = clock.tick(key)
          expect(next > (last.get(key) ?? STAMP_MIN)).toBe(true)
          last.set(key, next)
          made.add(next)
          // Heard of again: what was stamped from here on is in its time, but for keys that were ahead.
          if (heard !== 'after') continue
          clock.correct(trueMs - wall.ms)
          expect(stampMs(clock.tick()) - trueMs).toBeLessThanOrEqual(600_000 + steps.length)
        }
        expect(made.size).toBe(steps.length)
      }),
      { numRuns: 2_000 },
    )
  })

  test('comes back to where it was before the leap, however far ahead that was', () => {
    const { wall, clock } = clockAt(START_MS)
    clock.judge(true)
    // An earlier start's: no run of this clock has what lies below.
    clock.observeMs(START_MS + 4 * 60_000)
    clock.correct(0)
    const early = clock.tick('a')
    wall.ms += 60 * 60_000
    clock.tick('b')
    clock.correct(START_MS - wall.ms)
    expect(clock.tick('a') > early).toBe(true)
  })

  test('comes back to above a stamp that it leapt to for one key', () => {
    const { wall, clock } = clockAt(START_MS)
    clock.judge(true)
    clock.correct(0)
    wall.ms += 4 * 60_000
    const seen = clockAt(START_MS + 8 * 60_000).clock.tick()
    clock.observe(seen, 'a')
    clock.correct(START_MS - wall.ms)
    expect(clock.tick('a') > seen).toBe(true)
    expect(stampMs(clock.tick('b'))).toBeLessThan(START_MS + 1_000)
  })

  test('a leap that is confirmed is gone on with, whatever is heard later', () => {
    const { wall, clock } = clockAt(START_MS)
    clock.correct(0)
    wall.ms += 10 * 60_000
    clock.correct(0)
    const after = clock.tick()
    clock.correct(-10 * 60_000)
    expect(clock.tick() > after).toBe(true)
  })

  test('a saved ceiling far ahead is followed until a server says that the clock is right', () => {
    const { clock } = clockAt(START_MS)
    clock.judge(true)
    clock.observeMs(START_MS + 3_600_000)
    expect(stampMs(clock.tick())).toBeGreaterThan(START_MS + 3_599_999)
    clock.correct(0)
    expect(stampMs(clock.tick())).toBeLessThan(START_MS + 1_000)
    clock.observeMs(START_MS + 3_600_000)
    expect(stampMs(clock.tick())).toBeLessThan(START_MS + 1_000)
  })
})

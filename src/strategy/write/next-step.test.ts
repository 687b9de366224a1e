// Goal: what an attempt does next is specified for every state of its places and every time, and the
// promises of SPEC.md hold in all of them.
// Method: the table is a `Record` over states; the promises are tried on every view there is.
import { describe, expect, test } from 'vitest'
import { unreachable } from '../../core/errors.ts'
import { DATABASE_PLACES, type PlaceName } from '../../core/places.ts'
import { copiesOf, isDecided, nextStep, PLACES, type AttemptView } from './next-step.ts'
import { BOTH_DATABASES, LOG_FIRST, TWO_COPIES } from './policies.ts'
import type { PlaceState, PlaceStates, WritePolicy } from './write-policy.ts'

const STATES: readonly PlaceState[] = ['idle', 'sent', 'done', 'failed']
const POLICIES = { TWO_COPIES, LOG_FIRST, BOTH_DATABASES }

const FRESH: AttemptView = {
  policy: TWO_COPIES,
  kind: 'plain',
  places: { primary: 'idle', backup: 'idle', wal: 'idle' },
  distinct: { primary: 'idle', backup: 'idle', wal: 'idle' },
  hint: 'none',
  time: 'early',
  primarySilent: false,
  primarySkipped: false,
  decideWithoutPrimary: true,
  lacksLog: false,
  isDurable: (copies) => copies.length > 0,
}

function view(places: PlaceStates, given: Partial<AttemptView> = {}): AttemptView {
  return { ...FRESH, places, distinct: places, ...given }
}

function said(given: AttemptView): string {
  const command = nextStep(given)
  switch (command.kind) {
    case 'send':
      return `ask ${command.place}`
    case 'acknowledge':
      return `say ${command.copies.join('+')}`
    case 'fail':
      return `fail ${command.why}`
    default:
      return command.kind
  }
}

/** By the state of primary and backup: the next step for each state of the log, as `STATES` has them. */
type Table = Record<PlaceState, Record<PlaceState, readonly [string, string, string, string]>>

/** Stamps of this writer, nobody late. */
const PLAIN: Table = {
  idle: {
    idle: ['ask primary', 'ask primary', 'ask primary', 'ask primary'],
    sent: ['ask primary', 'ask primary', 'ask primary', 'ask primary'],
    done: ['ask primary', 'ask primary', 'hint', 'ask primary'],
    failed: ['ask primary', 'ask primary', 'ask primary', 'ask primary'],
  },
  sent: {
    idle: ['ask wal', 'wait', 'wait', 'ask backup'],
    sent: ['ask wal', 'wait', 'wait', 'wait'],
    done: ['ask wal', 'wait', 'hint', 'wait'],
    failed: ['ask wal', 'wait', 'wait', 'wait'],
  },
  done: {
    idle: ['ask wal', 'wait', 'say primary+wal', 'ask backup'],
    sent: ['ask wal', 'wait', 'say primary+wal', 'wait'],
    done: [
      'say primary+backup',
      'say primary+backup',
      'say primary+backup+wal',
      'say primary+backup',
    ],
    failed: ['ask wal', 'wait', 'say primary+wal', 'say primary'],
  },
  failed: {
    idle: ['ask wal', 'ask backup', 'ask backup', 'ask backup'],
    sent: ['ask wal', 'wait', 'wait', 'wait'],
    done: ['ask wal', 'wait', 'hint', 'hint'],
    failed: ['ask wal', 'wait', 'say wal', 'fail copies'],
  },
}

/** The same once the hedge delay has passed. */
const OVERDUE: Table = {
  idle: {
    idle: ['ask wal', 'ask primary', 'ask primary', 'ask primary'],
    sent: ['ask wal', 'ask primary', 'ask primary', 'ask primary'],
    done: ['ask wal', 'ask primary', 'hint', 'ask primary'],
    failed: ['ask wal', 'ask primary', 'ask primary', 'ask primary'],
  },
  sent: {
    idle: ['ask wal', 'ask backup', 'ask backup', 'ask backup'],
    sent: ['ask wal', 'wait', 'wait', 'wait'],
    done: ['ask wal', 'hint', 'hint', 'hint'],
    failed: ['ask wal', 'wait', 'wait', 'wait'],
  },
  done: {
    idle: ['ask wal', 'ask backup', 'say primary+wal', 'ask backup'],
    sent: ['ask wal', 'wait', 'say primary+wal', 'wait'],
    done: [
      'say primary+backup',
      'say primary+backup',
      'say primary+backup+wal',
      'say primary+backup',
    ],
    failed: ['ask wal', 'wait', 'say primary+wal', 'say primary'],
  },
  failed: {
    idle: ['ask wal', 'ask backup', 'ask backup', 'ask backup'],
    sent: ['ask wal', 'wait', 'wait', 'wait'],
    done: ['ask wal', 'hint', 'hint', 'hint'],
    failed: ['ask wal', 'wait', 'say wal', 'fail copies'],
  },
}

/** Ids of the caller, nobody late. */
const IDS: Table = {
  idle: {
    idle: ['ask primary', 'ask primary', 'ask primary', 'ask primary'],
    sent: ['ask primary', 'ask primary', 'ask primary', 'ask primary'],
    done: ['ask primary', 'ask primary', 'hint', 'ask primary'],
    failed: ['ask primary', 'ask primary', 'ask primary', 'ask primary'],
  },
  sent: {
    idle: ['wait', 'wait', 'wait', 'wait'],
    sent: ['wait', 'wait', 'wait', 'wait'],
    done: ['ask wal', 'wait', 'hint', 'wait'],
    failed: ['wait', 'wait', 'wait', 'wait'],
  },
  done: {
    idle: ['ask wal', 'wait', 'say primary+wal', 'ask backup'],
    sent: ['ask wal', 'wait', 'say primary+wal', 'wait'],
    done: [
      'say primary+backup',
      'say primary+backup',
      'say primary+backup+wal',
      'say primary+backup',
    ],
    failed: ['ask wal', 'wait', 'say primary+wal', 'say primary'],
  },
  failed: {
    idle: ['ask backup', 'ask backup', 'ask backup', 'ask backup'],
    sent: ['wait', 'wait', 'wait', 'wait'],
    done: ['ask wal', 'wait', 'hint', 'hint'],
    failed: ['ask wal', 'wait', 'say wal', 'fail copies'],
  },
}

/** Conditions: as ids, but the log never has a group that no database has judged. */
const IF: Table = {
  ...IDS,
  failed: { ...IDS.failed, failed: ['fail copies', 'wait', 'say wal', 'fail copies'] },
}

/** Conditions that the primary alone may judge. */
const IF_PRIMARY: Table = {
  ...IF,
  failed: {
    idle: ['fail copies', 'wait', 'say wal', 'fail copies'],
    sent: ['wait', 'wait', 'wait', 'wait'],
    done: IF.failed.done,
    failed: ['fail copies', 'wait', 'say wal', 'fail copies'],
  },
}

describe.each([
  ['plain', PLAIN, {}],
  ['overdue', OVERDUE, { time: 'overdue' }],
  ['ids', IDS, { kind: 'ids' }],
  ['if', IF, { kind: 'if' }],
  ['if by the primary', IF_PRIMARY, { kind: 'if', decideWithoutPrimary: false }],
] as const)('two copies, %s:', (_, table, given) => {
  test.each(STATES.flatMap((primary) => STATES.map((backup) => [primary, backup] as const)))(
    'primary %s, backup %s',
    (primary, backup) => {
      const row = STATES.map((wal) => said(view({ primary, backup, wal }, given)))
      expect(row).toEqual(table[primary][backup])
    },
  )
})

describe('promised', () => {
  test('W1: nobody is asked twice', () => {
    for (const each of everyView()) {
      const command = nextStep(each)
      if (command.kind === 'send') expect(each.places[command.place]).toBe('idle')
      if (command.kind === 'send-skipped') expect(each.primarySkipped).toBe(true)
      if (command.kind === 'hint') expect(each.hint).toBe('none')
    }
  })

  test('W2: copies that are named are there, are enough, and known to be the only ones', () => {
    for (const each of everyView()) {
      const command = nextStep(each)
      if (command.kind !== 'acknowledge') continue
      const { copies } = command
      expect(copies.filter((place) => !copiesOf(each).includes(place))).toEqual([])
      expect(each.isDurable(copies)).toBe(true)
      expect(each.lacksLog).toBe(false)
      const { places, hint } = each
      if (copies.includes('backup')) expect([places.primary, hint]).toContain('done')
    }
  })

  test('W3: it waits only while somebody has yet to answer, and not when its time is up', () => {
    for (const each of everyView()) {
      const command = nextStep(each)
      if (each.time === 'up') expect(['acknowledge', 'fail']).toContain(command.kind)
      if (command.kind !== 'wait') continue
      expect([...PLACES.map((place) => each.places[place]), each.hint]).toContain('sent')
    }
  })

  test('W4: while the primary may decide whether ids are new, nobody else is asked', () => {
    for (const each of everyView()) {
      const command = nextStep(each)
      const isOne = each.kind === 'ids' || each.kind === 'if'
      if (!isOne || isDecided(each.places) || command.kind !== 'send') continue
      if (command.place === 'primary') continue
      expect(each.places.primary === 'failed' || each.primarySilent).toBe(true)
      expect(each.decideWithoutPrimary).toBe(true)
    }
  })

  test('W7: what no database has judged is never given to the log', () => {
    for (const each of everyView()) {
      const command = nextStep(each)
      if (each.kind !== 'if' || isDecided(each.places) || command.kind !== 'send') continue
      expect(command.place).not.toBe('wal')
    }
  })

  test('W8: a primary that alone may judge, and is out, is not waited for', () => {
    for (const each of everyView()) {
      if (each.kind !== 'if' || each.decideWithoutPrimary || isDecided(each.places)) continue
      expect(nextStep(each).kind).not.toBe('send-skipped')
    }
  })

  test('W5: a clear is not acknowledged while a database that was asked may answer', () => {
    for (const each of everyView()) {
      const command = nextStep(each)
      if (each.kind !== 'clear' || each.time === 'up' || command.kind !== 'acknowledge') continue
      expect(DATABASE_PLACES.map((place) => each.places[place])).not.toContain('sent')
    }
  })

  test.each(Object.entries(POLICIES))('W6: %s ends whatever the answers are', (_, policy) => {
    for (const kind of ['plain', 'ids', 'clear', 'if'] as const) {
      for (const time of ['early', 'overdue'] as const) follow({ ...FRESH, policy, kind, time }, 0)
    }
  })
})

/** Commands and answers of the longest way, with room: more are a loop. */
const STEPS_MAX = 16

/** Does what is said, and lets every place that was asked answer in either way. */
function follow(given: AttemptView, steps: number): void {
  expect(steps).toBeLessThan(STEPS_MAX)
  const set = (place: PlaceName, state: PlaceState, more: Partial<AttemptView> = {}): void => {
    const places = { ...given.places, [place]: state }
    follow({ ...given, places, distinct: places, ...more }, steps + 1)
  }
  const command = nextStep(given)
  switch (command.kind) {
    case 'send':
      set(command.place, 'sent')
      if (command.place === 'primary') set('primary', 'failed', { primarySkipped: true })
      return
    case 'send-skipped':
      set('primary', 'sent', { primarySkipped: false })
      return
    case 'hint':
      follow({ ...given, hint: 'sent' }, steps + 1)
      return
    case 'wait':
      for (const place of PLACES.filter((name) => given.places[name] === 'sent')) {
        set(place, 'done')
        set(place, 'failed')
      }
      if (given.hint !== 'sent') return
      follow({ ...given, hint: 'done' }, steps + 1)
      // The hint did not arrive: the backup's copy does not count.
      set('backup', 'failed', { hint: 'none' })
      return
    case 'acknowledge':
    case 'fail':
      return
    default:
      unreachable(command)
  }
}

function* everyView(): Generator<AttemptView> {
  const booleans = [false, true]
  for (const policy of Object.values(POLICIES) as WritePolicy[])
    for (const kind of ['plain', 'ids', 'clear', 'if'] as const)
      for (const time of ['early', 'overdue', 'up'] as const)
        for (const hint of ['none', 'sent', 'done'] as const)
          for (const primarySilent of booleans)
            for (const decideWithoutPrimary of booleans)
              for (const lacksLog of booleans)
                for (const copiesMin of [1, 2])
                  for (const places of everyPlaces())
                    for (const primarySkipped of places.primary === 'failed' ? booleans : [false])
                      yield view(places, {
                        policy,
                        kind,
                        time,
                        hint,
                        primarySilent,
                        primarySkipped,
                        decideWithoutPrimary,
                        lacksLog: lacksLog && places.wal !== 'done',
                        isDurable: (copies) => copies.length >= copiesMin,
                      })
}

function* everyPlaces(): Generator<PlaceStates> {
  for (const primary of STATES)
    for (const backup of STATES) for (const wal of STATES) yield { primary, backup, wal }
}

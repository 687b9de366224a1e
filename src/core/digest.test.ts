import fc from 'fast-check'
import { expect, test } from 'vitest'
import { append, clear, edit, remove, set, stampAt } from '../testing/backend/operations.ts'
import { someOperations } from '../testing/operation-arbitraries.ts'
import {
  addDigest,
  digestOf,
  nameIn,
  placedDigest,
  renewedDigest,
  unfitDigest,
  valueDigest,
} from './digest.ts'
import { renewedEnvelope } from './encryption/envelope.ts'
import type { JsonText } from './json.ts'
import type { Operation } from './operation.ts'

/** What the earlier release stored. */
function earlierDigest(operation: Operation): number {
  const whole = valueDigest(operation)
  const isPlaced = operation.kind === 'put' && operation.change !== 'append'
  return isPlaced ? placedDigest(whole, operation.position) : whole
}

test('no two operations have one name, whatever their values are', () => {
  const [one, two] = [stampAt(1), stampAt(2)]
  const operations = [
    append('k', one, 'a', 'id'),
    append('k', two, 'a', 'id'),
    append('j', one, 'a', 'id'),
    append('k', one, 'a', 'di'),
    append('ki', one, 'a', 'd'),
    edit('k', 'id', one, two, 'a'),
    edit('k', 'id', one, stampAt(3), 'a'),
    edit('k', 'id', two, stampAt(3), 'a'),
    remove('k', 'id', one, two),
    remove('k', 'id', two, two),
    set('k', one, 'a'),
    clear('k', one),
  ]
  const names = operations.map((operation) => nameIn(digestOf(operation)))
  expect(new Set(names).size).toBe(operations.length)
  // A removal is the same one whenever it was made.
  expect(digestOf(remove('k', 'id', one, stampAt(9)))).toBe(digestOf(remove('k', 'id', one, two)))
})

test('a value changes the check and not the name, and so nothing that is summed', () => {
  fc.assert(
    fc.property(someOperations(5), fc.string(), (operations, text) => {
      for (const operation of operations) {
        if (!('value' in operation)) continue
        const [digest, other] = [operation, { ...operation, value: text as JsonText }].map(digestOf)
        expect(nameIn(other!)).toBe(nameIn(digest!))
        expect(other === digest).toBe(text === operation.value)
        const [a, b] = [digest!, other!].map((each) => {
          const sum = { count: 0, low: 0, high: 0 }
          addDigest(sum, each)
          return sum
        })
        expect(b).toEqual(a)
      }
    }),
    // Two values in a million have one check: always the same ones are tried.
    { seed: 1 },
  )
})

test('it is an integer below 2^48', () => {
  fc.assert(
    fc.property(someOperations(20), (operations) => {
      for (const digest of operations.map(digestOf)) {
        expect(Number.isSafeInteger(digest) && digest >= 0 && digest < 2 ** 48).toBe(true)
      }
    }),
  )
})

test('that of an earlier release is renewed without the value; one that does not fit still does not', () => {
  fc.assert(
    fc.property(someOperations(20), (operations) => {
      for (const operation of operations) {
        const today = digestOf(operation)
        const renewed = renewedDigest(operation, earlierDigest(operation))
        expect(renewed).toBe(today)
        expect(renewedDigest(operation, today)).toBe(today)
        expect(renewedDigest(operation, unfitDigest(today))).not.toBe(today)
      }
    }),
  )
})

test('one that does not fit has the name of the one that does', () => {
  const digest = digestOf(append('k', stampAt(1), 'a'))
  for (const fitting of [digest, digest - (digest % 2 ** 20) + 2 ** 20 - 1]) {
    expect(unfitDigest(fitting)).not.toBe(fitting)
    expect(nameIn(unfitDigest(fitting))).toBe(nameIn(fitting))
  }
})

test('an envelope of an earlier release has the check of the digest in it, and today its own', () => {
  const value = `et1.k1.01234567.0123456789ab.${'A'.repeat(40)}` as JsonText
  const earlier = { ...set('k', stampAt(1), ''), value }
  expect(digestOf(earlier) % 2 ** 20).toBe(0x789ab)
  const today = { ...earlier, value: renewedEnvelope(value) }
  expect(nameIn(digestOf(today))).toBe(nameIn(digestOf(earlier)))
  expect(digestOf(today)).not.toBe(digestOf(earlier))
})

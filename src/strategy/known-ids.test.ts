import { expect, test } from 'vitest'
import { isRemoved, itemValue } from '../core/merge.ts'
import { SeenTombstones } from './seen-tombstones.ts'
import { append, edit, remove, stampAt } from '../testing/backend/operations.ts'
import { KnownIds } from './known-ids.ts'

const one = append('k', stampAt(1), 'one', 'id')
const other = append('k', stampAt(5), 'other', 'id')

function knowing(): { readonly known: KnownIds; readonly tombstones: SeenTombstones } {
  const tombstones = new SeenTombstones()
  const known = new KnownIds(tombstones)
  known.acknowledged([one])
  return { known, tombstones }
}

test('a save that was acknowledged stands with its content, and with no other', () => {
  const { known } = knowing()
  expect(known.itemOf(append('k', stampAt(5), 'one', 'id'))).toMatchObject({
    position: stampAt(1),
    appended: one.value,
  })
  expect(itemValue(known.itemOf(other)!)).not.toBe(other.value)
  expect(known.itemOf(append('k', stampAt(5), 'one', 'another'))).toBeUndefined()
})

test('what was edited since stands with any content, what was removed with none', () => {
  const { known } = knowing()
  known.acknowledged([edit('k', 'id', stampAt(1), stampAt(2), 'edited')])
  expect(known.itemOf(other)).toMatchObject({ editedOf: stampAt(1) })
  // Nobody is told that this is what was saved first.
  expect(known.itemOf(other)!.appended).toBeUndefined()
  known.acknowledged([remove('k', 'id', stampAt(1), stampAt(3))])
  expect(isRemoved(known.itemOf(other)!)).toBe(true)
})

test('what another process had saved is known once it was edited or removed here', () => {
  const known = new KnownIds(new SeenTombstones())
  known.acknowledged([edit('k', 'id', stampAt(1), stampAt(2), 'edited')])
  expect(known.itemOf(other)).toMatchObject({ editedOf: stampAt(1) })
  known.acknowledged([remove('k', 'id', stampAt(1), stampAt(3))])
  expect(isRemoved(known.itemOf(other)!)).toBe(true)
})

test('what became of an earlier message of the id does not go with the next one', () => {
  const { known } = knowing()
  known.acknowledged([remove('k', 'id', stampAt(1), stampAt(2))])
  // Cleared and saved again by another process, and edited here.
  known.acknowledged([edit('k', 'id', stampAt(5), stampAt(6), 'edited')])
  expect(known.itemOf(append('k', stampAt(7), 'other', 'id'))).toMatchObject({
    position: stampAt(5),
    editedOf: stampAt(5),
  })
})

test('a clear sets the id free', () => {
  const { known, tombstones } = knowing()
  tombstones.see('k', stampAt(4))
  expect(known.itemOf(other)).toBeUndefined()
  known.acknowledged([other])
  expect(known.itemOf(other)).toMatchObject({ position: stampAt(5) })
})

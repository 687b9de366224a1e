import { expect, test } from 'vitest'
import { encodeJson } from '../../core/json.ts'
import type { Stamp } from '../../core/stamp.ts'
import { windowCodec, type Window } from './window-codec.ts'

const at = (i: number): Stamp => `0190000${i}-0000-7000-8000-000000000000` as Stamp

const WINDOW: Window = {
  done: true,
  gone: { removed: [{ id: 'd', position: at(2), removedOf: at(2) }], deletedThrough: at(0) },
  items: [
    {
      id: 'b\n"',
      position: at(2),
      appendedAt: at(2),
      appended: encodeJson('é\u{1f600}\n'),
    },
    {
      id: 'a',
      position: at(3),
      appendedAt: at(1),
      appended: encodeJson({ role: 'user', content: '"' }),
      editedOf: at(3),
      editedAt: at(4),
      edited: encodeJson(null),
    },
    { id: at(6), position: at(6), appendedAt: at(6), appended: encodeJson('own') },
    { id: 'c', position: at(1), editedOf: at(1), editedAt: at(5), edited: encodeJson('') },
  ],
}

test('a window comes back as it was', () => {
  expect(windowCodec.decode(windowCodec.encode(WINDOW))).toEqual(WINDOW)
  const empty = { done: false, items: [], gone: { removed: [], deletedThrough: undefined } }
  expect(windowCodec.decode(windowCodec.encode(empty))).toEqual(empty)
})

test('a text that was cut or grew is no window', () => {
  const text = windowCodec.encode(WINDOW)
  const decode = (damaged: string): unknown => {
    try {
      return windowCodec.decode(damaged)
    } catch {
      return undefined
    }
  }
  for (let end = 0; end < text.length; end++) expect(decode(text.slice(0, end))).toBeUndefined()
  expect(decode(`${text} `)).toBeUndefined()
})

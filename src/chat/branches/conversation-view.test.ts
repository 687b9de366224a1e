// Goal: a fork never lacks what it shares, in whichever moment of a change of the conversation it is read.
import { expect, test } from 'vitest'
import { MemoryBackend } from '../../backend/memory/memory-backend.ts'
import type { JsonText } from '../../core/json.ts'
import type { Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import { ConversationView } from './conversation-view.ts'
import { encodeMarker, MARKER_ID, markerPosition } from './fork-marker.ts'

const [SOURCE, FORK, COPIES] = ['chat/0::c', 'chat/0::f', 'shared/0::f']
const [AT, LATER] = ['1', '2'].map(
  (digit) => `00000000-0001-7000-8000-00000000000${digit}` as Stamp,
) as [Stamp, Stamp]
const OLD = '{"role":"user","content":"old"}' as JsonText
const NEW = '{"role":"user","content":"new"}' as JsonText

function append(key: string, id: string, position: Stamp, value: JsonText): Operation {
  return { kind: 'put', change: 'append', key, id, position, stamp: position, value }
}

const COPY = append(COPIES, 'm', AT, OLD)
const ITEM = { kind: 'put', key: SOURCE, id: 'm', position: AT, stamp: LATER } as const

/** What others do, one after another: first the fork has a copy, then the message changes. */
const CHANGES: Readonly<Record<string, readonly Operation[]>> = {
  edited: [COPY, { ...ITEM, change: 'edit', value: NEW }],
  removed: [COPY, { ...ITEM, change: 'remove' }],
  cleared: [COPY, { kind: 'delete', key: SOURCE, stamp: LATER }],
}

/** A fork of one message; before, or after, so many reads have begun something happens. */
async function viewWhile(
  changes: readonly Operation[],
  moments: readonly number[],
  slow: string,
): Promise<ConversationView> {
  const backend = new MemoryBackend()
  await backend.connect()
  const marker = { conversationId: 'c', messageId: 'm', through: AT }
  const at = markerPosition(marker)
  await backend.apply([
    append(SOURCE, 'm', AT, OLD),
    append(FORK, MARKER_ID, at, encodeMarker(marker)),
  ])
  let reads = 0
  let done = 0
  const moment = async (key: string): Promise<void> => {
    // One list is far away: others are read, and changes made, before it is.
    if (key === slow) for (let i = 0; i < 50; i++) await Promise.resolve()
    reads++
    while (done < changes.length && moments[done]! <= reads) await backend.apply([changes[done++]!])
  }
  const answered = { complete: true } as const
  return new ConversationView(
    {
      readItems: async (query) => {
        await moment(query.key)
        const page = await backend.readItems(query)
        return { ...page, ...answered }
      },
      readItemsById: async (key, ids) => {
        await moment(key)
        return { ...(await backend.readItemsById(key, ids)), ...answered }
      },
      mend: async (_key, item) => await Promise.resolve(item),
    },
    '',
  )
}

const MOMENTS = Array.from({ length: 64 }, (_, i) => [1 + (i % 8), 1 + Math.floor(i / 8)]).filter(
  ([copied, changed]) => copied! <= changed!,
)

test.each(Object.keys(CHANGES))('while a message that it shares is %s', async (kind) => {
  for (const slow of ['', SOURCE, COPIES]) {
    for (const moments of MOMENTS) {
      const told = `${slow} ${moments.join()}`
      for (const order of ['newest', 'oldest'] as const) {
        const view = await viewWhile(CHANGES[kind]!, moments, slow)
        const { items } = await view.page('f', { order, limit: 5 })
        expect(
          items.map(({ item }) => item.id),
          told,
        ).toEqual(['m'])
      }
      const view = await viewWhile(CHANGES[kind]!, moments, slow)
      expect((await view.find('f', 'm')).item?.id, told).toBe('m')
    }
  }
})

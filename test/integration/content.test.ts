// Goal: content of many chunks is kept, read from either database, erased and removed on every engine.
// Method: real engines, one of which is refused while the other is read.
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/testing/eventually.ts'
import { chunks, cleaned, MIB, picture, pieces, rig } from '../support/content-rig.ts'
import { postgresUrl } from '../support/postgres-backend.ts'
import { replicaEngines } from '../support/replica-engines.ts'

const ENGINES = replicaEngines(postgresUrl)

describe.each(ENGINES)('on $name', ({ open }) => {
  test('content of many chunks comes back from either database, and goes with its last message', async () => {
    const { history, primary, backup } = await rig(open)
    const bytes = randomBytes(5 * MIB + 12_345)
    const saved = await history.saveContent(pieces(bytes, 100_000), { mediaType: 'image/png' })
    expect(saved).toMatchObject({ size: bytes.byteLength, isNew: true })
    await history.saveMessage('a', picture(saved.ref))
    await history.saveMessage('b', { id: 'm', ...picture(saved.ref) })
    expect(await history.saveContent(bytes)).toMatchObject({ ref: saved.ref, isNew: false })
    expect(await chunks(history)).toBe(6)
    await history.flush()
    for (const [place, other] of [
      [primary, backup],
      [backup, primary],
    ] as const) {
      other.setMode('up')
      place.setMode('refused')
      const read = await history.readContent(saved.ref)
      expect(read).toMatchObject({ size: bytes.byteLength, mediaType: 'image/png' })
      expect(Buffer.compare(await read.bytes(), bytes)).toBe(0)
    }
    backup.setMode('up')
    await eventually(async () => {
      const { primary: one, backup: two } = history.store.getHealthStatus().backends
      expect([one.healthy, two.healthy]).toEqual([true, true])
    })
    const erased = await history.eraseConversation('a')
    expect(erased.complete).toBe(true)
    expect(Buffer.compare(await (await history.readContent(saved.ref)).bytes(), bytes)).toBe(0)
    await history.store.pause(5)
    await history.deleteMessage('b', 'm')
    expect(await cleaned(history)).toBe(1)
    expect(await chunks(history)).toBe(0)
    await expect(history.readContent(saved.ref)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    // It can come again.
    const again = await history.saveContent(bytes)
    expect(again).toMatchObject({ ref: saved.ref, isNew: true })
    await history.saveMessage('c', picture(again.ref))
    expect(await cleaned(history)).toBe(0)
  })
})

// Goal: who follows all conversations of a tenant is told of edits, removals and clears of quiet ones by the pass over
// all of them. Method: a process for which time goes by sixty times as fast, so that ten minutes are ten seconds.
import { expect, onTestFinished, test, vi } from 'vitest'
import type { ChangeEvent } from '../../src/chat/changes/change.ts'
import { firstStampOf } from '../../src/chat/changes/latest-keys.ts'
import { encodeMessage } from '../../src/chat/codec.ts'
import { conversationKey } from '../../src/chat/keys.ts'
import type { Env } from '../../src/core/env.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import { streamRig } from '../support/stream-rig.ts'

const FASTER = 60

function fast(): Env {
  const env = nodeEnv()
  return {
    ...env,
    monotonic: () => env.monotonic() * FASTER,
    setTimer: (ms, run) => env.setTimer(ms / FASTER, run),
  }
}

test('changes of quiet conversations by another process are told by the next pass', async () => {
  const { open } = streamRig()
  const [one, two] = [await open({ env: fast() }), await open()]
  const names = ['edited', 'removed', 'cleared', 'same']
  // From an hour ago.
  const time = firstStampOf(Date.now() - 3_600_000).slice(0, 13)
  const position = `${time}-7000-8000-000000000001` as Stamp
  const value = encodeMessage({ role: 'user', content: 'Hello' })
  const at = { id: 'm', position, stamp: position, value }
  for (const name of names) {
    await two.store.mergeGroup([
      { kind: 'put', change: 'append', key: conversationKey('', name), ...at },
    ])
  }
  const told: ChangeEvent[] = []
  const changes = one.subscribe()
  onTestFinished(() => changes.close())
  void (async () => {
    for await (const change of changes) told.push(change)
  })()
  await vi.waitFor(() => expect(told[0]?.type).toBe('ready'), { timeout: 10_000 })
  // The first pass learns what is there.
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  const before = Date.now()
  await two.updateMessage('edited', 'm', { role: 'user', content: 'Good day' })
  await two.deleteMessage('removed', 'm')
  await two.clearHistory('cleared')
  const of = (): Set<string> => new Set(told.flatMap(({ conversationId }) => conversationId ?? []))
  await vi.waitFor(() => expect(of()).toEqual(new Set(names.slice(0, 3))), { timeout: 30_000 })
  // Not by the looks that are meant for what is not quiet.
  expect(Date.now() - before).toBeGreaterThan(2_000)
  for (const { type } of told.slice(1)) expect(['resync', 'cleared', 'updated']).toContain(type)
}, 60_000)

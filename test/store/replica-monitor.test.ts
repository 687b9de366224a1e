// Goal: a database is not taken for an older version of itself because its answers came out of order, and is
// when it is one. Method: probes whose answers are held back one by one.
import { expect, test } from 'vitest'
import type { ReplicaState } from '../../src/backend/replica-backend.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { reconcilerRig } from '../support/reconciler-rig.ts'

/** A backup that answers probes when, and with the cursor that, it is told. */
async function rig() {
  const backup = new DurableMemoryBackend()
  await backup.connect()
  const answers: ((state: ReplicaState) => void)[] = []
  const state = await backup.readState('w')
  backup.readState = () => new Promise((resolve) => answers.push(resolve))
  const { context } = reconcilerRig(new DurableMemoryBackend(), backup)
  let resent = 0
  context.log.resend = () => void resent++
  return {
    probe: () => context.monitor.probe('backup'),
    answer: (i: number, cursor: number) => answers[i]!({ ...state, cursor }),
    resent: () => resent,
  }
}

test('probes that overtake each other while the cursor moves tell of no older database', async () => {
  const { probe, answer, resent } = await rig()
  const [first, second] = [probe(), probe()]
  // The second one was read first, and is heard of last.
  answer(0, 10)
  await first
  answer(1, 8)
  await second
  expect(resent()).toBe(0)
  // What was known is not forgotten for it.
  const third = probe()
  answer(2, 9)
  await third
  expect(resent()).toBe(1)
})

test('a probe that began after a greater cursor was known tells of an older database', async () => {
  const { probe, answer, resent } = await rig()
  for (const [i, cursor] of [10, 8].entries()) {
    const asked = probe()
    answer(i, cursor)
    await asked
  }
  expect(resent()).toBe(1)
})

test('a hint that came and went beside a read is noticed by the version of the list', async () => {
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  for (const place of [primary, backup]) await place.connect()
  const [{ identity: ofPrimary }, { identity: ofBackup }] = [
    await primary.readState('w'),
    await backup.readState('w'),
  ]
  await primary.trust(ofBackup)
  await backup.trust(ofPrimary)
  const { context } = reconcilerRig(primary, backup)
  const { monitor } = context
  await monitor.probe('primary')
  await monitor.probe('backup')
  expect(await monitor.judgePrimary()).toBe('current')
  await backup.apply([], { hint: 'another process' })
  const { hints } = await backup.readHints()
  await backup.removeHints(hints)
  expect(await monitor.judgePrimary()).toBe('ask-again')
  expect(await monitor.judgePrimary()).toBe('current')
})

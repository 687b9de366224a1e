import { expect, test } from 'vitest'
import { BackgroundLoop } from './background-loop.ts'

test('a loop that is started twice runs once, and ends when it is stopped', async () => {
  const loop = new BackgroundLoop()
  let [begun, ended] = [0, 0]
  const work = async (signal: AbortSignal): Promise<void> => {
    begun++
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    ended++
  }
  loop.start(work)
  loop.start(work)
  await loop.stop()
  expect([begun, ended]).toEqual([1, 1])
  loop.start(work)
  expect(loop.signal.aborted).toBe(false)
  await loop.stop()
  expect([begun, ended]).toEqual([2, 2])
})

import { expect, test } from 'vitest'
import { SharedFetch } from './shared-fetch.ts'

interface Rig {
  readonly shared: SharedFetch
  readonly begun: (() => void)[]
}

function rig(): Rig {
  const begun: (() => void)[] = []
  const shared = new SharedFetch(() => new Promise<void>((resolve) => begun.push(resolve)))
  return { shared, begun }
}

test('whoever asks while a fetch is under way waits for the next one, with all the others', async () => {
  const { shared, begun } = rig()
  const first = shared.run()
  const later = [shared.run(), shared.run()]
  expect(begun).toHaveLength(1)
  begun[0]!()
  await first
  await expect.poll(() => begun.length).toBe(2)
  begun[1]!()
  await Promise.all(later)
  expect(begun).toHaveLength(2)
})

test('after the end of a fetch another one begins at once', async () => {
  const { shared, begun } = rig()
  for (let i = 0; i < 3; i++) {
    const run = shared.run()
    expect(begun).toHaveLength(i + 1)
    begun[i]!()
    await run
  }
})

test('a fetch that fails does not fail those who asked for the next one', async () => {
  const fetches = [Promise.reject(new Error('out')), Promise.resolve()]
  const shared = new SharedFetch(() => fetches.shift()!)
  const first = shared.run()
  const second = shared.run()
  await expect(first).rejects.toThrow('out')
  await second
})

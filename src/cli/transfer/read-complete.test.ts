import { expect, test } from 'vitest'
import { readComplete } from './read-complete.ts'

function answers(...complete: readonly boolean[]): () => Promise<{ n: number; complete: boolean }> {
  let n = 0
  return async () => ({ n, complete: complete[n++]! })
}

test('reads once more while the answer may be incomplete, three times at most', async () => {
  expect(await readComplete(answers(true))).toEqual({ n: 0, complete: true })
  expect(await readComplete(answers(false, true))).toEqual({ n: 1, complete: true })
  expect(await readComplete(answers(false, false, false, true))).toEqual({ n: 2, complete: false })
})

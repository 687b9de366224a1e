// One thread of `simulate.mjs`: runs seeds until there is none left, and tells how each one ended.
import { parentPort, workerData } from 'node:worker_threads'

const { compiled, from, count, settings, next } = workerData
const { runSeed } = await import(`${compiled}/simulator/run-seed.js`)
const { describeResult } = await import(`${compiled}/simulator/describe-result.js`)

const taken = new Int32Array(next)
for (;;) {
  const i = Atomics.add(taken, 0, 1)
  if (i >= count) break
  const result = await runSeed(from + i, settings)
  const { seed, acknowledged, singleCopies, faults, events, settledAfterMs, violations } = result
  parentPort.postMessage({
    seed,
    acknowledged,
    singleCopies,
    faults,
    events,
    settledAfterMs,
    kinds: [...new Set(violations.map(({ kind }) => kind))],
    ...(violations.length > 0 && { report: describeResult(result) }),
  })
}

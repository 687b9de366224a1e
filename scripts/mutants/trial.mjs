// Runs what should notice a mistake in the sources: the simulation, or some tests.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'

/** A mutant may hang what it breaks: so long no history ends. */
const SILENCE_MS_MAX = 180_000

/**
 * Runs histories of compiled sources until one is caught; `count` of them at most, and for `limitMs`.
 *
 * @returns {Promise<{ caught?: string, rest?: string }>} `caught`: what noticed it. `rest`: why it ended
 *   without that.
 */
export async function runSimulation(compiled, { settings, count, workers, limitMs }) {
  const next = new SharedArrayBuffer(4)
  const data = { compiled, from: 1, count, settings, next }
  const threads = Array.from(
    { length: workers },
    () => new Worker(new URL('../simulate-worker.mjs', import.meta.url), { workerData: data }),
  )
  const stop = () => Atomics.store(new Int32Array(next), 0, count)
  let seeds = 0
  let kinds
  let hangs = false
  const silence = setTimeout(() => {
    hangs = true
    for (const thread of threads) void thread.terminate()
  }, SILENCE_MS_MAX)
  const limit = setTimeout(stop, limitMs)
  const onSeed = (found) => {
    silence.refresh()
    if (kinds !== undefined) return
    seeds++
    if (found.length === 0) return
    kinds = found
    stop()
  }
  await Promise.all(
    threads.map(async (thread) => {
      thread.on('message', (result) => onSeed(result.kinds))
      await new Promise((resolve) => {
        thread.on('error', (error) => {
          kinds ??= [`error: ${error.message}`]
          stop()
          resolve()
        })
        thread.on('exit', resolve)
      })
    }),
  )
  clearTimeout(silence)
  clearTimeout(limit)
  if (kinds !== undefined) return { caught: `${kinds.join(', ')} after ${seeds} seeds` }
  if (hangs) return { caught: `hangs after ${seeds} seeds` }
  return { rest: `after ${seeds} seeds` }
}

/** Runs generated programs until one is caught; `count` of them at most, and for `limitMs`. */
export async function runPrograms(copy, { programs, count, limitMs }) {
  const { engine, faults } = programs
  const script = join(copy, 'scripts/simulate.mjs')
  const args = [script, '--engine', engine, '--programs', String(count), '--until-failure']
  args.push('--shrink', '0', ...(faults === undefined ? [] : ['--faults', faults]))
  const options = { cwd: copy, timeout: limitMs, maxBuffer: 2 ** 28 }
  try {
    await promisify(execFile)(process.execPath, args, options)
    return { rest: `after ${count} programs` }
  } catch (error) {
    const kinds = /^(.+) in \d+ programs?: (\d+)/m.exec(error.stdout)
    const ran = /^(\d+) programs on/m.exec(error.stdout)
    if (kinds === null)
      return error.killed ? { rest: 'after its time' } : { caught: 'programs end' }
    return { caught: `${kinds[1]} after ${ran?.[1] ?? kinds[2]} programs (${engine})` }
  }
}

/** Runs tests until the first one fails, and says which. */
export async function runTests(copy, { tests, limitMs }) {
  const vitest = join(copy, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--reporter=json', '--bail=1', ...tests]
  const options = { cwd: copy, timeout: limitMs, maxBuffer: 2 ** 28 }
  try {
    await promisify(execFile)(process.execPath, args, options)
    return { rest: 'no test failed' }
  } catch (error) {
    if (error.killed) return { caught: `test: hangs for ${Math.round(limitMs / 60_000)} minutes` }
    return { caught: `test: ${firstFailure(error.stdout)}` }
  }
}

function firstFailure(stdout) {
  try {
    const { testResults } = JSON.parse(stdout.slice(stdout.indexOf('{')))
    const failed = testResults.flatMap(({ assertionResults }) => assertionResults)
    return failed.find(({ status }) => status === 'failed')?.title ?? 'a test file did not load'
  } catch {
    return 'ended without a report'
  }
}

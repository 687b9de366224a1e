import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Measured } from './measure.ts'
import type { SampleRequest, SubjectAnswer } from './subject-process.ts'

/** Longest wait for a sample, and for the end of a process. Milliseconds. */
const SAMPLE_MS_MAX = 300_000
const END_MS_MAX = 30_000

/**
 * Opens subjects in a process of their own.
 *
 * @param module URL of the module with the factory.
 * @param openMs Longest wait until they are open. Milliseconds.
 * @throws Error with the reason, when the factory rejects.
 */
export async function inOwnProcess(
  module: URL,
  factory: string,
  parameter: object,
  openMs = SAMPLE_MS_MAX,
): Promise<Measured[]> {
  const script = fileURLToPath(new URL('./subject-process.js', import.meta.url))
  const child = fork(script, [module.href, factory, JSON.stringify(parameter)])
  try {
    const first = await next(child, openMs)
    if (!('opened' in first)) throw new Error('the process did not tell its subjects')
    return first.opened.map((subject, index) => ({
      ...subject,
      sample: async (round, concurrency, extent) => {
        const answer = next(child, SAMPLE_MS_MAX)
        child.send({ index, round, concurrency, extent } satisfies SampleRequest)
        const found = await answer
        if (!('sample' in found)) throw new Error(`${subject.name} answered without a sample`)
        return found.sample
      },
      close: () => end(child),
    }))
  } catch (error) {
    await end(child)
    throw error
  }
}

/** What the process sends next. */
async function next(child: ChildProcess, limitMs: number): Promise<SubjectAnswer> {
  const ended = new AbortController()
  const signal = AbortSignal.any([AbortSignal.timeout(limitMs), ended.signal])
  const answered = once(child, 'message', { signal })
  const onExit = (code: number | null): void =>
    ended.abort(new Error(`a measuring process ended with ${code}`))
  child.once('exit', onExit)
  try {
    const [answer] = (await answered) as [SubjectAnswer]
    if ('error' in answer) throw new Error(answer.error)
    return answer
  } catch (error) {
    if (signal.aborted && !ended.signal.aborted) throw new Error(`no answer within ${limitMs} ms`)
    throw error
  } finally {
    child.off('exit', onExit)
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX)
  if (child.connected) child.disconnect()
  await ended
  clearTimeout(timer)
}

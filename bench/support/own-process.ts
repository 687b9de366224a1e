import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endOf, nextMessage } from './child.ts'
import type { Measured } from './measure.ts'
import type { SampleRequest, SubjectAnswer } from './subject-process.ts'

/** Longest wait for a sample. Milliseconds. */
const SAMPLE_MS_MAX = 300_000

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
      close: () => endOf(child),
    }))
  } catch (error) {
    await endOf(child)
    throw error
  }
}

async function next(child: ChildProcess, limitMs: number): Promise<SubjectAnswer> {
  const answer = (await nextMessage(child, limitMs)) as SubjectAnswer
  if ('error' in answer) throw new Error(answer.error)
  return answer
}

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** Longest wait for the end of a process. Milliseconds. */
const END_MS_MAX = 30_000

/** What the process sends next. Rejects when it ends before, or says nothing within the limit. */
export async function nextMessage(child: ChildProcess, limitMs: number): Promise<unknown> {
  const ended = new AbortController()
  const signal = AbortSignal.any([AbortSignal.timeout(limitMs), ended.signal])
  const answered = once(child, 'message', { signal })
  const onExit = (code: number | null): void =>
    ended.abort(new Error(`a measuring process ended with ${code}`))
  child.once('exit', onExit)
  try {
    return ((await answered) as [unknown])[0]
  } catch (error) {
    if (ended.signal.aborted) throw ended.signal.reason
    throw signal.aborted ? new Error(`no answer within ${limitMs} ms`) : error
  } finally {
    child.off('exit', onExit)
  }
}

/** Closes the channel, which asks the process to end, and kills it when it does not. */
export async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX)
  if (child.connected) child.disconnect()
  await ended
  clearTimeout(timer)
}

import { StorageError } from '../src/core/errors.ts'
import type { SimulatedServer } from './simulated-server.ts'
import type { Life } from './simulated-process.ts'

/** Told about every call and how it ended, for traces. */
export type CallObserver = (
  call: string,
  detail: readonly unknown[],
  outcome: 'sent' | 'answered' | 'failed',
  result: unknown,
) => void

/** Who calls a simulated server. */
export interface Caller {
  readonly life: Life
  /** Index of the process. */
  readonly from: number
  readonly observe?: CallObserver | undefined
}

export interface RemoteCall {
  readonly name: string
  readonly detail: readonly unknown[]
  readonly timeoutMs: number
}

/** One request with a deadline. After the end of the caller's life it never settles. */
export async function remoteCall<Content, T>(
  server: SimulatedServer<Content>,
  { life, from, observe }: Caller,
  { name, detail, timeoutMs }: RemoteCall,
  run: (content: Content) => Promise<T>,
): Promise<T> {
  observe?.(name, detail, 'sent', undefined)
  return await new Promise<T>((resolve, reject) => {
    const fail = (error: unknown): void => {
      if (!life.isAlive) return
      timer.cancel()
      observe?.(name, detail, 'failed', error)
      reject(error as Error)
    }
    const timer = life.env.setTimer(timeoutMs, () => fail(late(server.title, timeoutMs)))
    const answered = (value: T): void => {
      if (!life.isAlive) return
      timer.cancel()
      observe?.(name, detail, 'answered', value)
      resolve(value)
    }
    server.request(from, run, { resolve: answered, reject: fail })
  })
}

function late(title: string, timeoutMs: number): StorageError {
  return new StorageError('TIMEOUT', `no answer from ${title} within ${timeoutMs} ms`, {
    effect: 'unknown',
  })
}

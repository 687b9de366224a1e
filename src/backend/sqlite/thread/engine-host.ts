import type { SqliteSettings } from '../connection/open-connection.ts'
import type { EngineCalls, EngineMethod, SqliteEngine } from '../engine.ts'

/** A connection, in this thread or in one of its own. */
export interface EngineHost {
  readonly settings: SqliteSettings
  /** False once its thread has ended; what it had in hand was rejected with effect `unknown`. */
  readonly isAlive: boolean
  call<Method extends EngineMethod>(
    method: Method,
    ...args: Parameters<EngineCalls[Method]>
  ): Promise<ReturnType<EngineCalls[Method]>>
  close(): Promise<void>
}

/** An engine of the calling thread. */
export function hostOf(engine: SqliteEngine): EngineHost {
  return {
    settings: engine.settings,
    isAlive: true,
    async call(method, ...args) {
      return engine.call(method, ...args)
    },
    async close() {
      // The engine belongs to the backend, which closes it.
    },
  }
}

import type { SqliteSettings } from '../connection/open-session.ts'
import type { SqliteEngine } from '../engine.ts'

/** Calls of the engine that may go to another thread: their arguments and results are plain data. */
export type EngineMethod =
  | 'run'
  | 'checkpoint'
  | 'removeHints'
  | 'trust'
  | 'lease'
  | 'repair'
  | 'purge'
  | 'keyIds'
  | 'keysWithRows'
  | 'addDigests'
  | 'lastIds'
  | 'addBlockDigests'
  | 'scanPage'
  | 'checkFile'
  | 'checkKeys'
  | 'checkOwners'
  | 'mendFile'
  | 'mendKeys'
  | 'mendOwners'

/** A connection, in this thread or in one of its own. */
export interface EngineHost {
  readonly settings: SqliteSettings
  /** False once its thread has ended; what it had in hand was rejected with effect `unknown`. */
  readonly isAlive: boolean
  call<Method extends EngineMethod>(
    method: Method,
    ...args: Parameters<SqliteEngine[Method]>
  ): Promise<ReturnType<SqliteEngine[Method]>>
  close(): Promise<void>
}

/** An engine of the calling thread. */
export function hostOf(engine: SqliteEngine): EngineHost {
  return {
    settings: engine.settings,
    isAlive: true,
    async call(method, ...args) {
      return callEngine(engine, method, args)
    },
    async close() {
      // The engine belongs to the backend, which closes it.
    },
  }
}

/** Calls the method by its name. */
export function callEngine<Method extends EngineMethod>(
  engine: SqliteEngine,
  method: Method,
  args: Parameters<SqliteEngine[Method]>,
): ReturnType<SqliteEngine[Method]> {
  const run = engine[method] as (
    ...given: Parameters<SqliteEngine[Method]>
  ) => ReturnType<SqliteEngine[Method]>
  return run.apply(engine, args)
}

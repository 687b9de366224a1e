export { SqliteBackend } from './backend.ts'
export type { SqliteOptions } from './connection/options.ts'

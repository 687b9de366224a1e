export { SqliteBackend } from './backend.ts'
export type { SqliteOptions } from './options.ts'

export { PostgresBackend, type PostgresInfo } from './backend.ts'
export type { PostgresOptions, PostgresSsl } from './options.ts'
export type { PgAnswer, PgClient, PgPool, PgResult, PgStatement } from './pg-types.ts'

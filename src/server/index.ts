export { createHandler, type Handler, type HandlerOptions } from './handler.ts'
export type { ApiKey, Authenticate, Caller, Scope } from './http/credentials.ts'

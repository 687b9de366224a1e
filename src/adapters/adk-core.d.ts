/*
 * What `adk.ts` uses of `@google/adk`, which is too heavy to be installed here. `test/adapters/adk` compiles the adapter's
 * declarations against the package itself.
 */
declare module '@google/adk' {
  export interface Event {
    id: string
    invocationId: string
    author?: string
    content?: { role?: string; parts?: object[] }
    partial?: boolean
    actions: {
      stateDelta: { [key: string]: unknown }
      artifactDelta: { [key: string]: number }
      requestedAuthConfigs: { [key: string]: never }
      requestedToolConfirmations: { [key: string]: never }
    }
    timestamp: number
  }

  export interface CompositeSessionKey {
    appName: string
    userId: string
    sessionId: string
  }

  export interface Session {
    id: string
    appName: string
    userId: string
    state: Record<string, unknown>
    events: Event[]
    lastUpdateTime: number
  }

  export interface CreateSessionRequest {
    appName: string
    userId: string
    state?: Record<string, unknown>
    sessionId?: string
  }

  export interface GetSessionRequest extends CompositeSessionKey {
    config?: { numRecentEvents?: number; afterTimestamp?: number }
  }

  export interface ListSessionsRequest {
    appName: string
    userId?: string
    limit?: number
    offset?: number
    page?: number
    order?: 'asc' | 'desc'
  }

  export type DeleteSessionRequest = CompositeSessionKey

  export interface AppendEventRequest {
    session: Session
    event: Event
  }

  export interface ListSessionsResponse {
    sessions: Session[]
    page: number
    limit: number
    totalItems: number
    totalPages: number
  }

  export abstract class BaseSessionService {
    abstract createSession(request: CreateSessionRequest): Promise<Session>
    abstract getSession(request: GetSessionRequest): Promise<Session | undefined>
    getOrCreateSession(request: CreateSessionRequest): Promise<Session>
    abstract listSessions(request: ListSessionsRequest): Promise<ListSessionsResponse>
    abstract deleteSession(request: DeleteSessionRequest): Promise<void>
    appendEvent(request: AppendEventRequest): Promise<Event>
  }
}

import type {
  AppendEventRequest,
  CreateSessionRequest,
  GetSessionRequest,
  Session,
} from '@google/adk'

interface Service {
  createSession(request: CreateSessionRequest): Promise<Session>
  getSession(request: GetSessionRequest): Promise<Session | undefined>
}

/** Stands for ADK's base class, which is too heavy to be installed here. */
export class BaseSessionService {
  async getOrCreateSession(
    this: Service,
    request: CreateSessionRequest & { readonly sessionId: string },
  ): Promise<Session> {
    return (await this.getSession(request)) ?? (await this.createSession(request))
  }

  async appendEvent({ session, event }: AppendEventRequest): Promise<void> {
    session.events.push(event)
  }
}

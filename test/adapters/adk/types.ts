// The adapter is a session service of the framework's, by the framework's own types.
import { type BaseAgent, type BaseSessionService, Runner } from '@google/adk'
import type { ChatHistory } from 'everthread'
import { EverthreadSessionService } from 'everthread/adk'

export function runnerOf(history: ChatHistory, agent: BaseAgent): Runner {
  const sessionService: BaseSessionService = new EverthreadSessionService(history)
  return new Runner({ appName: 'app', agent, sessionService })
}

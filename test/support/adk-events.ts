import type { Event } from '@google/adk'

/** An event of a user that says its id, and changes the state so. */
export function adkEvent(
  id: string,
  stateDelta: Record<string, unknown> = {},
  more: object = {},
): Event {
  const content = { role: 'user', parts: [{ text: id }] }
  const actions = {
    stateDelta,
    artifactDelta: {},
    requestedAuthConfigs: {},
    requestedToolConfirmations: {},
  }
  return { id, invocationId: 'i', author: 'user', content, actions, timestamp: 1_000, ...more }
}

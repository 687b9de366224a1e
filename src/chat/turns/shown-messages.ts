import type { PlacedMessage } from '../conversation-pages.ts'
import { closingId } from './closing-message.ts'
import type { Answer, Turn } from './turn-finder.ts'

/**
 * The messages of a turn without those that say nothing but what others do: of several results of one call
 * the first is shown, and what `closeToolCalls` saved only where there is no other.
 */
export function shownOf({ messages, answers }: Turn<PlacedMessage>): readonly PlacedMessage[] {
  if (answers.length < 2) return messages
  const answered = new Set<string>()
  const isNeeded = (message: PlacedMessage): boolean => {
    const own = answers.filter(({ result }) => result === message)
    const isNew = own.some((answer) => answer.callId === undefined || !answered.has(keyOf(answer)))
    for (const answer of own) answered.add(keyOf(answer))
    return isNew || !message.use.onlyResults
  }
  const closing = new Set(answers.filter(isClosing).map(({ result }) => result))
  const genuine = messages.filter((message) => !closing.has(message))
  const needed = new Set([...genuine, ...closing].filter(isNeeded))
  return messages.filter((message) => needed.has(message))
}

function isClosing({ result, caller, callId }: Answer<PlacedMessage>): boolean {
  return callId !== undefined && result.item.id === closingId(caller.item.id, callId)
}

function keyOf({ caller, callId }: Answer<PlacedMessage>): string {
  return `${caller.item.id}\n${callId}`
}

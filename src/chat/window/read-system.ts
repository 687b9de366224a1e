import type { Stamp } from '../../core/stamp.ts'
import type { Backwards, ConversationPages, PlacedMessage } from '../conversation-pages.ts'

/** Most messages that count as the system messages of a conversation. */
const SYSTEM_MESSAGES_MAX = 100
/** Messages of the pages that they are looked for in. */
const PAGE_MESSAGES = 10

/** The system messages that a conversation begins with. */
export interface SystemMessages {
  /** Oldest first. */
  readonly messages: readonly PlacedMessage[]
  /** Where the first other message stands, if it was come upon. */
  readonly bodyStart: Stamp | undefined
}

/** Reads them, unless the latest page has them already. */
export async function readSystem(
  pages: ConversationPages,
  latest: Backwards,
  keepSystem: boolean,
): Promise<SystemMessages> {
  if (!keepSystem) return { messages: [], bodyStart: undefined }
  if (latest.isLast) return leading([...latest.messages].reverse())
  const read: PlacedMessage[] = []
  let after: Stamp | undefined
  for (;;) {
    const query = { limit: PAGE_MESSAGES, order: 'oldest' } as const
    const page = await pages.page({ ...query, ...(after && { after }) })
    read.push(...page.messages)
    const found = leading(read)
    after = page.next
    const isEnd = found.bodyStart !== undefined || after === undefined
    if (isEnd || found.messages.length === SYSTEM_MESSAGES_MAX) return found
  }
}

function leading(messages: readonly PlacedMessage[]): SystemMessages {
  const at = messages.findIndex(({ message: { role } }) => {
    return role !== 'system' && role !== 'developer'
  })
  const end = Math.min(at === -1 ? messages.length : at, SYSTEM_MESSAGES_MAX)
  return { messages: messages.slice(0, end), bodyStart: messages[end]?.item.position }
}

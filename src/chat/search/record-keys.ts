/* The records of conversations, as far as a search reads them. */
const [CHAT, RECORD] = ['chat/', 'record/']

/** The item of a record that names who the conversation belongs to. */
export const OWNER_ID = 'owner'

/** The key of a conversation's record, or the prefix of those of a tenant: of the key, or prefix, of messages. */
export function recordOf(conversation: string): string {
  return RECORD + conversation.slice(CHAT.length)
}

/** The conversation's key of its record's. */
export function conversationOf(record: string): string {
  return CHAT + record.slice(RECORD.length)
}

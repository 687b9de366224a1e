import { AI_SDK } from './ai-sdk.ts'
import { CHATGPT } from './chatgpt.ts'
import { CLAUDE } from './claude.ts'
import { isFields } from './fields.ts'
import type { Format, ImportFormat } from './format.ts'
import { LANGCHAIN } from './langchain.ts'
import { LIBRECHAT } from './librechat.ts'
import { OPEN_WEBUI } from './open-webui.ts'
import { OPENAI_ITEMS } from './openai-items.ts'
import { OPENAI_MESSAGES } from './openai-messages.ts'
import { SHAREGPT } from './sharegpt.ts'

/** All but our own form, which is read exactly and not translated. */
const FORMATS: Readonly<Record<Exclude<ImportFormat, 'everthread'>, Format>> = {
  chatgpt: CHATGPT,
  claude: CLAUDE,
  'open-webui': OPEN_WEBUI,
  librechat: LIBRECHAT,
  sharegpt: SHAREGPT,
  langchain: LANGCHAIN,
  'ai-sdk': AI_SDK,
  'openai-items': OPENAI_ITEMS,
  'openai-messages': OPENAI_MESSAGES,
}

export function formatNamed(name: Exclude<ImportFormat, 'everthread'>): Format {
  return FORMATS[name]
}

/** The first form that a conversation is in; our own comes before all others. */
export function recogniseConversation(value: unknown): Format | 'everthread' | undefined {
  if (isOwn(value)) return 'everthread'
  return Object.values(FORMATS).find((format) => format.isConversation(value))
}

/** The first form that a single message is in. */
export function recogniseMessage(value: unknown): Format | undefined {
  return Object.values(FORMATS).find((format) => format.isMessage?.(value) === true)
}

function isOwn(value: unknown): boolean {
  if (!isFields(value) || !('conversationId' in value)) return false
  const { messages } = value
  if (!Array.isArray(messages)) return false
  return messages.length === 0 || (messages as readonly unknown[]).some(OPENAI_MESSAGES.isMessage!)
}

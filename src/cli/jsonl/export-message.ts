import type { ChatMessage } from '../../chat/message.ts'
import { renameFields } from './field-names.ts'
import { parseImportId } from './import-id.ts'

/** `openai`: OpenAI's names for tool calls. `everthread`: the names of this library. */
export type ExportFormat = 'openai' | 'everthread'

export const EXPORT_FORMATS: readonly ExportFormat[] = ['openai', 'everthread']

/**
 * A stored message as a line of an export has it: every field, in its order. What an import added
 * is left out again: an id that says where the message stands already, and the time of the import.
 */
export function exportMessage(
  message: ChatMessage,
  index: number,
  format: ExportFormat,
): Record<string, unknown> {
  const imported = parseImportId(message.id)
  const fields = Object.entries(message).filter(
    ([name]) =>
      !(name === 'id' && imported?.index === index) &&
      !(name === 'createdAt' && imported?.dated === false),
  )
  return Object.fromEntries(format === 'openai' ? renameFields(fields, 'openai') : fields)
}

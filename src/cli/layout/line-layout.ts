import { exportMessage, type ExportFormat } from '../jsonl/export-message.ts'
import type { ConversationText, ExportLayout } from './export-layout.ts'

/**
 * A longer line is ended, and the conversation goes on in the next one: an import takes lines of 64 MiB, and
 * encryption adds a third.
 */
const LINE_BYTES = 32 * 1024 * 1024

/** JSON Lines: one conversation a line, several for a long one. */
export function lineLayout(format: ExportFormat, lineBytes: number = LINE_BYTES): ExportLayout {
  return {
    begin: '',
    conversation: (conversationId, record) => {
      const head = JSON.stringify({ conversationId, ...record, messages: [] }).slice(0, -2)
      return conversationLines(head, format, lineBytes)
    },
    end: '',
  }
}

/** @param head The line up to its first message. */
function conversationLines(
  head: string,
  format: ExportFormat,
  lineBytes: number,
): ConversationText {
  /** Of the message in its line: an import counts from 0 in each. */
  let index = 0
  let bytes = 0
  return {
    add(message) {
      let before = index === 0 ? head : ','
      if (bytes >= lineBytes) {
        before = `]}\n${head}`
        index = 0
        bytes = 0
      }
      const written = JSON.stringify(exportMessage(message, index, format))
      bytes += Buffer.byteLength(written)
      index++
      return before + written
    },
    end: () => ']}\n',
    empty: () => `${head}]}\n`,
  }
}

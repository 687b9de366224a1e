import type { NewConversation } from '../../chat/records/record-options.ts'
import type { ConversationText, ExportLayout } from './export-layout.ts'
import { readableMessage, readableTitle, type ReadablePart } from './readable-message.ts'

/**
 * Markdown to read. What was said is quoted as it is, so that its own Markdown shows, and so that no message can
 * look like the beginning of another one.
 */
export const MARKDOWN_LAYOUT: ExportLayout = {
  begin: '',
  conversation: conversationText,
  end: '',
}

function conversationText(conversationId: string, record?: NewConversation): ConversationText {
  let isFirst = true
  return {
    add(message) {
      const title = isFirst
        ? `# ${escaped(readableTitle(conversationId, message, record?.title))}\n\n`
        : ''
      isFirst = false
      const { heading, parts } = readableMessage(message)
      return `${title}## ${escaped(heading)}\n\n${parts.map(quoted).join('')}`
    },
    end: () => '',
  }
}

function quoted({ kind, text }: ReadablePart): string {
  const lines = kind === 'text' ? text : fenced(text)
  return `${lines.replace(/^/gm, '> ').replace(/^> $/gm, '>')}\n\n`
}

/** A fence is longer than every one in what it holds. */
function fenced(text: string): string {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}json\n${text}\n${fence}`
}

/** One line without a meaning of its own. */
function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+!|<>~&$]/g, '\\$&')
}

import type { NewConversation } from '../../chat/records/record-options.ts'
import type { ConversationText, ExportLayout } from './export-layout.ts'
import { readableMessage, readableTitle, type ReadablePart } from './readable-message.ts'

const STYLE = [
  ':root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }',
  'body { max-width: 48rem; margin: 0 auto; padding: 1rem }',
  'article + article { margin-top: 4rem; border-top: 1px solid; padding-top: 1rem }',
  'h1 { font-size: 1.4rem; overflow-wrap: anywhere }',
  'h2 { font-size: .8rem; margin: 1.5rem 0 .25rem; opacity: .7; overflow-wrap: anywhere }',
  'p, pre { margin: .5rem 0; white-space: pre-wrap; overflow-wrap: anywhere }',
  'pre { font-size: .8rem; border-left: 3px solid; padding-left: .75rem }',
].join('\n')

/** The browser is told to load and run nothing; there is nothing to load or run either. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

/** One page without a script and without anything of elsewhere. Everything that was stored is escaped. */
export const HTML_LAYOUT: ExportLayout = {
  begin: [
    '<!doctype html>',
    '<html>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<title>Conversations</title>',
    `<style>\n${STYLE}\n</style>\n`,
  ].join('\n'),
  conversation: conversationText,
  end: '</html>\n',
}

function conversationText(conversationId: string, record?: NewConversation): ConversationText {
  let isFirst = true
  return {
    add(message) {
      const title = escaped(readableTitle(conversationId, message, record?.title))
      const begin = isFirst ? `<article>\n<h1 dir="auto">${title}</h1>\n` : ''
      isFirst = false
      const { heading, parts } = readableMessage(message)
      return `${begin}<h2>${escaped(heading)}</h2>\n${parts.map(element).join('')}`
    },
    end: () => '</article>\n',
  }
}

function element({ kind, text }: ReadablePart): string {
  const name = kind === 'text' ? 'p' : 'pre'
  // A line feed right behind the tag would be dropped.
  return `<${name} dir="auto">${text.startsWith('\n') ? '\n' : ''}${escaped(text)}</${name}>\n`
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ESCAPES[char]!)
}

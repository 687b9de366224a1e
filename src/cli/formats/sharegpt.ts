import { chain, draftOf, fieldsOf, isFields, listOf, present, textOf, without } from './fields.ts'
import type { Draft, Fields, Format, LeftOut, SourceConversation } from './format.ts'

const NAMED = ['id', 'title', 'system', 'conversations', 'items']
/** The words that say only the role; of others the word itself is kept. */
const COMMON: Readonly<Record<string, string>> = {
  human: 'user',
  gpt: 'assistant',
  system: 'system',
}
const OTHERS: Readonly<Record<string, string>> = {
  user: 'user',
  assistant: 'assistant',
  model: 'assistant',
  chatgpt: 'assistant',
  bing: 'assistant',
  bard: 'assistant',
  function_call: 'assistant',
  tool: 'tool',
  observation: 'tool',
  function_response: 'tool',
}

/** Data sets in the form of ShareGPT: `conversations` of `{ from, value }`. */
export const SHAREGPT: Format = {
  name: 'sharegpt',
  isConversation: (value) => listIn(value)?.some(isMessage) ?? false,
  conversation,
  message,
}

function isMessage(value: unknown): boolean {
  return isFields(value) && typeof value['from'] === 'string' && 'value' in value
}

function listIn(value: unknown): readonly unknown[] | undefined {
  if (!isFields(value)) return undefined
  return [value['conversations'], value['items']].find(Array.isArray) as
    readonly unknown[] | undefined
}

function conversation(value: unknown): SourceConversation {
  const fields = fieldsOf(value, 'the conversation')
  const messages = listOf(listIn(fields), 'conversations')
  const system = textOf(fields['system'])
  return {
    id: fields['id'],
    info: present({ title: textOf(fields['title']) }),
    nodes: chain(
      system === undefined ? messages : [{ from: 'system', value: system }, ...messages],
    ),
    ignored: Object.keys(without(fields, NAMED)),
  }
}

function message(raw: Fields): Draft | LeftOut {
  const { from, value } = raw
  if (typeof from !== 'string') return draftOf('sharegpt', { role: from, content: value }, {})
  const common = lookUp(COMMON, from)
  return draftOf(
    'sharegpt',
    { role: common ?? lookUp(OTHERS, from) ?? from, content: value },
    without(raw, common === undefined ? ['value'] : ['from', 'value']),
  )
}

function lookUp(words: Readonly<Record<string, string>>, word: string): string | undefined {
  return Object.hasOwn(words, word) ? words[word] : undefined
}

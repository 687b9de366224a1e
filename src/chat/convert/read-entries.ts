import { call, readPart, result, saidText, type Around } from './read-part.ts'
import { isFields, textIn, type Entry, type Fields, type Form, type Said } from './said.ts'

/** What LangChain calls roles. */
const LANGCHAIN_ROLES: Readonly<Record<string, string>> = { human: 'user', ai: 'assistant' }

/** Types of the items of OpenAI's Responses: others without a role are somebody else's. */
const ITEM_TYPES = /^(?:reasoning|item_reference|compaction|mcp_[a-z_]+|[a-z_]+_call(?:_output)?)$/

/** What messages say, one entry a message; items of a model that follow each other are one. */
export function readEntries(messages: readonly object[]): Entry[] {
  const entries: Entry[] = []
  for (const message of messages) {
    const entry = readEntry(message as Fields)
    const last = entries.at(-1)
    const isSame = last?.role === entry.role && entry.role === 'assistant'
    if (last !== undefined && isSame && last.isItems && entry.isItems) {
      entries[entries.length - 1] = { ...last, said: [...last.said, ...entry.said] }
    } else {
      entries.push(entry)
    }
  }
  return entries
}

function readEntry(message: Fields): Entry {
  const id = textIn(message['id']) ?? ''
  const type = textIn(message['type'])
  const { data } = message
  if (message['role'] === undefined && isFields(data)) {
    const role = textIn(data['role']) ?? LANGCHAIN_ROLES[type ?? ''] ?? type ?? ''
    return readFields({ ...data, role }, id, 'own')
  }
  if (message['role'] !== undefined) return readFields(message, id, formOf(message, type))
  const around = aroundOf(message, id, ITEM_TYPES.test(type ?? '') ? 'responses' : 'own')
  const said = [readPart(message, around)]
  // A result is the end of what the model said before.
  const isItems = said.every(({ kind }) => kind !== 'result')
  return { ...plainEntry(message, id), role: 'assistant', said, isItems }
}

function formOf(message: Fields, type: string | undefined): Form {
  if (type !== undefined) return 'responses'
  const parts = listIn(message['parts'])
  if (parts.length === 0) return 'own'
  return parts.some((part) => isFields(part) && textIn(part['type']) !== undefined)
    ? 'ui'
    : 'gemini'
}

function readFields(message: Fields, id: string, form: Form): Entry {
  const around = aroundOf(message, id, form)
  const role = textIn(message['role']) ?? ''
  const isTool = role === 'tool' || role === 'function'
  const parts = listIn(message['parts'])
  // The content of an AI SDK message of before repeats what its parts say.
  const content = parts.length > 0 ? parts : message['content']
  const isItem = ITEM_TYPES.test(textIn(message['type']) ?? '')
  const isAnswer = isTool && !isItem && !hasResults(content)
  const said = isAnswer ? [readAnswer(message, around)] : readContent(content, around)
  if (isItem) said.push(readPart(message, { ...around, item: undefined }))
  said.push(...listedCalls(message, said, around))
  return {
    ...plainEntry(message, id),
    role: roleOf(role),
    said,
    ui: form === 'ui' ? message : undefined,
    isItems: form === 'responses',
  }
}

function plainEntry(message: Fields, id: string): Omit<Entry, 'role' | 'said'> {
  const { metadata } = message
  return { id, name: textIn(message['name']), metadata, ui: undefined, isItems: false }
}

function aroundOf(message: Fields, from: string, form: Form): Around {
  const { metadata } = message
  const item = message['type'] === 'message' ? message : undefined
  return {
    form,
    from,
    item,
    isInterruption: isFields(metadata) && metadata['toolError'] === 'interrupted',
  }
}

function roleOf(role: string): Entry['role'] {
  if (role === 'system' || role === 'developer' || role === 'user') return role
  // A result is paired with its call wherever it stands.
  return role === 'tool' || role === 'function' || role === 'unknown' ? 'user' : 'assistant'
}

function readContent(content: unknown, around: Around): Said[] {
  if (typeof content === 'string')
    return content === '' ? [] : [saidText(content, undefined, around)]
  return listIn(content).map((part) => readPart(part, around))
}

/** What a tool's message says is its result, whatever its parts. */
function readAnswer(message: Fields, around: Around): Said {
  const id = message['toolCallId'] ?? message['tool_call_id']
  const isError = message['status'] === 'error' || around.isInterruption
  return result(message, id, message['name'], message['content'], { ...around, isError })
}

function hasResults(content: unknown): boolean {
  return listIn(content).some((part) => {
    const type = isFields(part) ? (textIn(part['type']) ?? '') : ''
    const isResult = /^tool[-_](?:result|error)$|_output$/.test(type)
    return isResult || (isFields(part) && isFields(part['functionResponse']))
  })
}

/** Calls beside the content, without those that the content has as well. */
function listedCalls(message: Fields, said: readonly Said[], around: Around): Said[] {
  const known = new Set(said.flatMap((each) => (each.kind === 'call' ? [each.id] : [])))
  const isTold = (id: unknown): boolean => typeof id === 'string' && known.has(id)
  const listed = [...listIn(message['toolCalls']), ...listIn(message['tool_calls'])].filter(
    isFields,
  )
  const calls = listed.map((each) => {
    const named = [each['function'], each['custom']].find(isFields) ?? each
    const input = named['arguments'] ?? named['input'] ?? named['args'] ?? {}
    const form = each['type'] === 'function' || each['type'] === 'custom' ? 'openai' : 'own'
    return call(each, idOf(each), named['name'] ?? each['toolName'], input, { ...around, form })
  })
  const { function_call: alone, refusal } = message
  if (isFields(alone)) calls.push(call(alone, undefined, alone['name'], alone['arguments'], around))
  const refused = textIn(refusal)
  const texts = refused === undefined ? [] : [saidText(refused, { type: 'refusal' }, around)]
  const invoked = listIn(message['toolInvocations']).map((toolInvocation) =>
    readPart({ type: 'tool-invocation', toolInvocation }, around),
  )
  return [...texts, ...calls, ...invoked].filter((each) => !('id' in each && isTold(each.id)))
}

/** The field that a call's result names, as `toolUseOf` has it. */
function idOf(each: Fields): unknown {
  return [
    each['toolCallId'],
    each['tool_call_id'],
    each['call_id'],
    each['callId'],
    each['id'],
  ].find((id) => textIn(id) !== undefined)
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

/*
 * What a message says of tools, in the forms that providers and frameworks have for it:
 *
 *   own         toolCalls: [{ id }]                      role 'tool', toolCallId
 *   openai      tool_calls: [{ id, function }]           role 'tool', tool_call_id
 *   responses   content part '…_call', call_id           content part '…_call_output', call_id
 *   item        the same as fields of the message        the same as fields of the message
 *   bare        the same, and no role                    the same, and no role
 *   agents      '…_call', callId, and no role            '…_call_result' or '…_call_output', callId
 *   anthropic   content part 'tool_use', id              content part 'tool_result', tool_use_id
 *   ai-sdk      content part 'tool-call', toolCallId     content part 'tool-result', toolCallId
 *   ui          part 'tool-NAME', 'dynamic-tool' or 'tool-invocation', with its state; `toolInvocations`
 *   gemini      functionCall of `parts`                  functionResponse of `parts`
 *   langchain   tool_calls of `data`                     type 'tool', tool_call_id of `data`
 *
 * Nothing here fails: a field of another shape says nothing.
 */

/** Where a call is written, which says where its result goes. */
export type ToolForm =
  | 'own'
  | 'openai'
  | 'responses'
  | 'item'
  | 'bare'
  | 'agents'
  | 'anthropic'
  | 'ai-sdk'
  | 'ui'
  | 'gemini'
  | 'langchain'

/** A call that the message does not answer itself. */
export interface ToolCall {
  /** Absent: results that name no call answer it. */
  readonly id?: string
  readonly name?: string
  readonly form: ToolForm
  /** The type of the part that it is, where it is one. */
  readonly type?: string
  /** The provider runs it: one without a result is for the provider to go on with. */
  readonly byProvider: boolean
}

/** What a message calls for, and what it answers, beyond itself. */
export interface ToolUse {
  readonly calls: readonly ToolCall[]
  /** The ids of the calls that it answers; undefined for a result that names none. */
  readonly results: readonly (string | undefined)[]
  /** It says nothing but results. */
  readonly onlyResults: boolean
  /** It is what a model thought, and goes with the item right behind it. */
  readonly leads?: boolean
  /** What a model thought may stand in front of it, and belongs to it then. */
  readonly isLed?: boolean
}

export const NO_TOOL_USE: ToolUse = { calls: [], results: [], onlyResults: false }
const REASONING: ToolUse = { ...NO_TOOL_USE, leads: true, isLed: true }

type Fields = Readonly<Record<string, unknown>>

/** A message, or one part of it, as it is looked through. */
interface Found {
  readonly calls: ToolCall[]
  readonly results: (string | undefined)[]
}

/** The fields that an id may be in: where a call has two, the one that its result names comes first. */
const CALL_ID_FIELDS = ['toolCallId', 'tool_call_id', 'call_id', 'callId', 'id'] as const

/** What a message says of tools. */
export function toolUseOf(message: object): ToolUse {
  const fields = message as Fields
  if (isPlainTalk(fields)) return NO_TOOL_USE
  if (fields['role'] === undefined) return useOfItem(fields)
  const use = useOfMessage(fields)
  return isOfModel(fields) ? { ...use, isLed: true } : use
}

/** An item of OpenAI's Responses that the model made; what it thought stands in front of those alone. */
function isOfModel({ role, type }: Fields): boolean {
  return role === 'assistant' && textOf(type) !== undefined
}

function useOfItem(fields: Fields): ToolUse {
  const type = textOf(fields['type'])
  if (type === undefined) return NO_TOOL_USE
  if (type === 'reasoning') return REASONING
  const { data } = fields
  if (isObject(data)) return useOfLangChain(type, data)
  const found: Found = { calls: [], results: [] }
  const isTool = readApproval(type, fields, found) || readPart(fields, found, 'bare')
  const use = beyondItself(found, isTool)
  const isAnswer = /_(?:output|result)$/.test(type) || type === 'mcp_approval_response'
  return isAnswer ? use : { ...use, isLed: true }
}

/** A request is nothing to close: whoever may approve answers it. */
function readApproval(type: string, fields: Fields, found: Found): boolean {
  if (type === 'mcp_approval_request') {
    found.calls.push(toolCall(fields['id'], fields['name'], 'bare', { type, byProvider: true }))
  } else if (type === 'mcp_approval_response') {
    found.results.push(textOf(fields['approval_request_id']))
  } else {
    return false
  }
  return true
}

function useOfLangChain(type: string, data: Fields): ToolUse {
  const found: Found = { calls: [], results: [] }
  for (const call of objectsIn(data['tool_calls'])) found.calls.push(listedCall(call, 'langchain'))
  if (type === 'tool') found.results.push(textOf(data['tool_call_id']))
  return beyondItself(found, type === 'tool')
}

function useOfMessage(fields: Fields): ToolUse {
  const found: Found = { calls: [], results: [] }
  for (const call of objectsIn(fields['toolCalls'])) found.calls.push(listedCall(call, 'own'))
  for (const call of objectsIn(fields['tool_calls'])) found.calls.push(listedCall(call, 'openai'))
  for (const call of objectsIn(fields['toolInvocations'])) readUi(call, found)
  const parts = [...objectsIn(fields['content']), ...objectsIn(fields['parts'])]
  const silent = parts.filter((part) => !readPart(part, found)).length
  readPart(fields, found, 'item')
  const isTool = fields['role'] === 'tool'
  if (isTool && found.results.length === 0) {
    found.results.push(textOf(fields['toolCallId']) ?? textOf(fields['tool_call_id']))
  }
  return beyondItself(found, isTool || (silent === 0 && parts.length > 0))
}

/** True for most messages, which need no closer look. */
function isPlainTalk(fields: Fields): boolean {
  return (
    typeof fields['content'] === 'string' &&
    fields['role'] !== 'tool' &&
    fields['toolCalls'] === undefined &&
    fields['tool_calls'] === undefined &&
    fields['parts'] === undefined &&
    fields['toolInvocations'] === undefined &&
    fields['type'] === undefined
  )
}

/** Without the calls that the message answers itself, and those answers; each id once. */
function beyondItself({ calls, results }: Found, hasNothingElse: boolean): ToolUse {
  const called = new Set(calls.flatMap(({ id }) => id ?? []))
  const answered = new Set(results)
  const open = calls.filter(({ id }, i) => {
    return id === undefined || (!answered.has(id) && isFirst(calls, i, id))
  })
  const own = results.filter((id, i) => {
    return id === undefined || (!called.has(id) && results.indexOf(id) === i)
  })
  if (open.length === 0 && own.length === 0) return NO_TOOL_USE
  const onlyResults = hasNothingElse && calls.length === 0
  return { calls: open, results: own, onlyResults }
}

function isFirst(calls: readonly ToolCall[], at: number, id: string): boolean {
  return calls.findIndex((call) => call.id === id) === at
}

/** Takes in what a part says; false when it says nothing of tools. */
function readPart(part: Fields, found: Found, form: ToolForm = 'responses'): boolean {
  const type = textOf(part['type'])
  if (type === undefined) return readGemini(part, found)
  if (/(?:^|_)tool_use$/.test(type)) {
    const byProvider = type !== 'tool_use'
    found.calls.push(toolCall(part['id'], part['name'], 'anthropic', { type, byProvider }))
  } else if (/(?:^|_)tool_result$/.test(type)) {
    found.results.push(textOf(part['tool_use_id']))
  } else if (type === 'tool-call') {
    const byProvider = part['providerExecuted'] === true
    found.calls.push(toolCall(part['toolCallId'], part['toolName'], 'ai-sdk', { type, byProvider }))
  } else if (type === 'tool-result' || type === 'tool-error') {
    found.results.push(textOf(part['toolCallId']))
  } else if (isObject(part['toolInvocation'])) {
    readUi(part['toolInvocation'], found)
  } else if (isUiPart(type, part)) {
    readUi(part, found, type)
  } else if (type.endsWith('_call_output') && textOf(part['call_id']) !== undefined) {
    found.results.push(textOf(part['call_id']))
  } else if (type.endsWith('_call') && textOf(part['call_id']) !== undefined) {
    found.calls.push(toolCall(part['call_id'], part['name'], form, { type }))
  } else if (form === 'bare' && textOf(part['callId']) !== undefined) {
    return readAgents(type, part, found)
  } else {
    return readGemini(part, found)
  }
  return true
}

function readAgents(type: string, { callId, name }: Fields, found: Found): boolean {
  if (type.endsWith('_call')) found.calls.push(toolCall(callId, name, 'agents', { type }))
  const isResult = /_call_(?:output|result)$/.test(type)
  if (isResult) found.results.push(textOf(callId))
  return isResult || type.endsWith('_call')
}

/** Requests of approvals name a call too, but have no state. */
function isUiPart(type: string, part: Fields): boolean {
  return /^(?:tool-|dynamic-tool$)/.test(type) && textOf(part['state']) !== undefined
}

/** A call that has its result in itself, once it has ended. */
function readUi(part: Fields, found: Found, type = ''): void {
  const name = part['toolName'] ?? (type.startsWith('tool-') ? type.slice(5) : undefined)
  const byProvider = part['providerExecuted'] === true
  const state = textOf(part['state']) ?? ''
  if (state === 'result' || state.startsWith('output-')) return
  found.calls.push(toolCall(part['toolCallId'], name, 'ui', { byProvider }))
}

function readGemini(part: Fields, found: Found): boolean {
  const { functionCall: call, functionResponse: response } = part
  if (isObject(call)) found.calls.push(toolCall(call['id'], call['name'], 'gemini'))
  if (isObject(response)) found.results.push(textOf(response['id']))
  return isObject(call) || isObject(response)
}

function listedCall(call: Fields, form: ToolForm): ToolCall {
  const field = CALL_ID_FIELDS.find((name) => textOf(call[name]) !== undefined)
  const named = isObject(call['function']) ? call['function'] : call
  const id = field === undefined ? undefined : call[field]
  return toolCall(id, named['name'] ?? call['toolName'], form)
}

function toolCall(
  id: unknown,
  name: unknown,
  form: ToolForm,
  { type, byProvider = false }: { readonly type?: string; readonly byProvider?: boolean } = {},
): ToolCall {
  const [knownId, knownName] = [textOf(id), textOf(name)]
  return {
    ...(knownId !== undefined && { id: knownId }),
    ...(knownName !== undefined && { name: knownName }),
    form,
    ...(type !== undefined && { type }),
    byProvider,
  }
}

function objectsIn(list: unknown): readonly Fields[] {
  return Array.isArray(list) ? list.filter(isObject) : []
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

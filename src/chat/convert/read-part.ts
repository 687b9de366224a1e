import {
  isFields,
  textIn,
  type Fields,
  type Form,
  type Said,
  type SaidMedia,
  type SaidResult,
  type SaidText,
} from './said.ts'

/** Where a part stands. */
export interface Around {
  readonly form: Form
  readonly from: string
  readonly isInterruption: boolean
  /** The item of Responses that it is in. */
  readonly item?: Fields | undefined
}

/** What one part of a message says. */
export function readPart(part: unknown, around: Around): Said {
  if (typeof part === 'string') return saidText(part, undefined, around)
  if (!isFields(part)) return other('unknown', {}, around)
  const type = textIn(part['type'])
  if (type === undefined) return readGemini(part, around)
  const of = (form: Form): Around => ({ ...around, form })
  switch (type) {
    case 'text':
      return saidText(textIn(part['text']) ?? '', part, around)
    case 'input_text':
    case 'output_text':
      return saidText(textIn(part['text']) ?? '', part, of('responses'))
    case 'refusal':
      return saidText(textIn(part['refusal']) ?? '', part, around)
    case 'reasoning':
      return readReasoning(part, around)
    case 'thinking':
    case 'redacted_thinking':
      return thought(textIn(part['thinking']) ?? '', part, of('anthropic'))
    case 'tool_use':
      return call(part, part['id'], part['name'], part['input'], of('anthropic'))
    case 'tool_result':
      return result(part, part['tool_use_id'], undefined, part['content'], {
        ...of('anthropic'),
        isError: part['is_error'] === true,
      })
    case 'tool-call':
      return call(
        part,
        part['toolCallId'],
        part['toolName'],
        part['input'] ?? part['args'],
        of('ai-sdk'),
      )
    case 'tool-result':
    case 'tool-error':
      return readSdkResult(part, of('ai-sdk'))
    case 'tool-invocation':
      return readUiTool(
        isFields(part['toolInvocation']) ? part['toolInvocation'] : {},
        part,
        around,
      )
    default:
      return readByType(type, part, around)
  }
}

function readByType(type: string, part: Fields, around: Around): Said {
  if (type === 'dynamic-tool' || (type.startsWith('tool-') && textIn(part['state']))) {
    return readUiTool(part, part, around)
  }
  if (textIn(part['call_id']) !== undefined) {
    if (type.endsWith('_call_output')) {
      return result(part, part['call_id'], undefined, part['output'], {
        ...around,
        form: 'responses',
        isError: false,
      })
    }
    if (type.endsWith('_call')) return readItemCall(type, part, around)
  }
  return readMedia(type, part, around) ?? other(type, part, around)
}

function readItemCall(type: string, part: Fields, around: Around): Said {
  const isCustom = type === 'custom_tool_call'
  const isBuiltIn = !isCustom && type !== 'function_call'
  const input = isCustom ? part['input'] : part['arguments']
  const said = call(part, part['call_id'], part['name'] ?? type, input, {
    ...around,
    form: 'responses',
  })
  return { ...said, isBuiltIn }
}

/** An item of Responses has a summary, a part of the AI SDK a text. */
function readReasoning(part: Fields, around: Around): Said {
  const { summary } = part
  if (!Array.isArray(summary)) return thought(textIn(part['text']) ?? '', part, around)
  const texts = summary.map((each: unknown) => (isFields(each) ? (textIn(each['text']) ?? '') : ''))
  return thought(texts.join('\n\n'), part, { ...around, form: 'responses' })
}

function readGemini(part: Fields, around: Around): Said {
  const at: Around = { ...around, form: 'gemini' }
  const { functionCall, functionResponse, inlineData, fileData } = part
  if (isFields(functionCall)) {
    return call(part, functionCall['id'], functionCall['name'], functionCall['args'] ?? {}, at)
  }
  if (isFields(functionResponse)) {
    const { id, name, response } = functionResponse
    const isError = isFields(response) && response['error'] !== undefined
    return result(part, id, name, response ?? {}, { ...at, isError })
  }
  if (isFields(inlineData)) {
    const { mimeType, data, displayName } = inlineData
    return media(part, at, { mediaType: mimeType, data, name: displayName })
  }
  if (isFields(fileData)) {
    const { mimeType, fileUri, displayName } = fileData
    return media(part, at, { mediaType: mimeType, url: fileUri, name: displayName })
  }
  const text = textIn(part['text'])
  if (text === undefined) return other(Object.keys(part)[0] ?? 'unknown', part, at)
  return part['thought'] === true ? thought(text, part, at) : saidText(text, part, at)
}

function readMedia(type: string, part: Fields, around: Around): Said | undefined {
  const file = isFields(part['file']) ? part['file'] : part
  switch (type) {
    case 'image_url': {
      const { image_url: image } = part
      return media(
        part,
        { ...around, form: 'openai' },
        { media: 'image', url: isFields(image) ? image['url'] : image },
      )
    }
    case 'input_image':
      return media(
        part,
        { ...around, form: 'responses' },
        { media: 'image', url: part['image_url'], fileId: part['file_id'] },
      )
    case 'input_audio': {
      const audio = isFields(part['input_audio']) ? part['input_audio'] : {}
      const format = textIn(audio['format']) ?? 'wav'
      const mediaType = format === 'mp3' ? 'audio/mpeg' : `audio/${format}`
      return media(part, around, { media: 'audio', data: audio['data'], mediaType })
    }
    case 'image':
    case 'document':
      return readSource(type, part, around)
    case 'input_file':
      return media(
        part,
        { ...around, form: 'responses' },
        {
          url: part['file_url'] ?? part['file_data'],
          fileId: part['file_id'],
          name: part['filename'],
        },
      )
    case 'file':
      return file === part
        ? media(part, around, {
            url: part['url'],
            ...dataOf(part['data']),
            mediaType: part['mediaType'] ?? part['mimeType'],
            name: part['filename'],
          })
        : media(
            part,
            { ...around, form: 'openai' },
            { url: file['file_data'], fileId: file['file_id'], name: file['filename'] },
          )
    default:
      return undefined
  }
}

function readSource(type: string, part: Fields, around: Around): Said {
  const { source } = part
  const kind = type === 'image' ? 'image' : 'file'
  if (!isFields(source)) {
    return media(
      part,
      { ...around, form: 'ai-sdk' },
      { media: kind, ...dataOf(part['image']), mediaType: part['mediaType'] ?? part['mimeType'] },
    )
  }
  const at: Around = { ...around, form: 'anthropic' }
  if (source['type'] === 'text') return saidText(textIn(source['data']) ?? '', part, at)
  const { url, data, media_type: mediaType, file_id: fileId } = source
  return media(part, at, { media: kind, url, data, mediaType, fileId, name: part['title'] })
}

/** The AI SDK takes an address, a data URL or base64 in one field. */
function dataOf(value: unknown): { readonly url?: string; readonly data?: string } {
  const text = textIn(value)
  if (text === undefined) return {}
  return /^[a-z][a-z0-9+.-]*:/i.test(text) ? { url: text } : { data: text }
}

/** A part that has its result in itself, once that is there. */
function readUiTool(part: Fields, raw: Fields, around: Around): Said {
  const type = textIn(part['type']) ?? ''
  const name = part['toolName'] ?? (type.startsWith('tool-') ? type.slice(5) : undefined)
  const at: Around = { ...around, form: 'ui' }
  const said = call(raw, part['toolCallId'], name, part['input'] ?? part['args'], at)
  const state = textIn(part['state']) ?? ''
  const isError = state === 'output-error' || state === 'output-denied'
  if (state !== 'result' && !state.startsWith('output-')) return said
  const denied = state === 'output-denied' ? 'The call was denied.' : undefined
  const output = part['output'] ?? part['result'] ?? part['errorText'] ?? denied ?? ''
  const given = { ...at, isError }
  return { ...said, result: result(raw, part['toolCallId'], name, output, given) }
}

function readSdkResult(part: Fields, around: Around): SaidResult {
  const { output, toolCallId, toolName } = part
  if (!isFields(output)) {
    const isError = part['type'] === 'tool-error' || part['isError'] === true
    const value = output ?? part['result'] ?? part['error']
    return result(part, toolCallId, toolName, value, { ...around, isError })
  }
  const isError = /^error|denied$/.test(textIn(output['type']) ?? '')
  const value = output['value'] ?? output['reason'] ?? ''
  return result(part, toolCallId, toolName, value, { ...around, isError })
}

export function saidText(
  text: string,
  raw: Fields | undefined,
  { form, from, item }: Around,
): SaidText {
  return { kind: 'text', text, raw, form, from, item }
}

function thought(text: string, raw: Fields, { form, from, item }: Around): Said {
  return { kind: 'thought', text, raw, form, from, item }
}

function other(type: string, raw: Fields, { form, from, item }: Around): Said {
  return { kind: 'other', type, raw, form, from, item }
}

/** A call; arguments that are text are parsed. */
export function call(
  raw: Fields | undefined,
  id: unknown,
  name: unknown,
  input: unknown,
  { form, from }: Around,
): Extract<Said, { kind: 'call' }> {
  const text = typeof input === 'string' ? input : undefined
  return {
    kind: 'call',
    id: textIn(id),
    name: textIn(name) ?? '',
    input: text === undefined ? input : parsed(text),
    text,
    isBuiltIn: false,
    result: undefined,
    raw,
    form,
    from,
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A result; its parts are those of an array, or the value as text. */
export function result(
  raw: Fields | undefined,
  id: unknown,
  name: unknown,
  value: unknown,
  around: Around & { readonly isError: boolean },
): SaidResult {
  const { form, from, isError, isInterruption } = around
  const given = { id: textIn(id), name: textIn(name), raw, form, from }
  return { kind: 'result', ...given, parts: partsOf(value, around), value, isError, isInterruption }
}

function partsOf(value: unknown, around: Around): readonly (SaidText | SaidMedia)[] {
  if (value === undefined || value === null || value === '') return []
  if (typeof value === 'string') return [saidText(value, undefined, around)]
  const read = Array.isArray(value) ? value.map((part) => readResultPart(part, around)) : []
  const parts = read.filter((part) => part.kind === 'text' || part.kind === 'media')
  const isParts = read.length > 0 && parts.length === read.length
  return isParts ? parts : [saidText(JSON.stringify(value), undefined, around)]
}

/** A result of the AI SDK, or of an MCP server, may have its media as `data` and a media type. */
function readResultPart(part: unknown, around: Around): Said {
  if (!isFields(part) || typeof part['data'] !== 'string') return readPart(part, around)
  const mediaType = part['mediaType'] ?? part['mimeType']
  return media(part, around, { data: part['data'], mediaType, name: part['filename'] })
}

interface GivenMedia {
  readonly media?: SaidMedia['media']
  readonly mediaType?: unknown
  readonly url?: unknown
  readonly data?: unknown
  readonly fileId?: unknown
  readonly name?: unknown
}

/** A data URL is taken apart: what it has counts as bytes. */
function media(raw: Fields, { form, from, item }: Around, given: GivenMedia): SaidMedia {
  const [, dataType, base64] =
    /^data:([^;,]*)[^,]*;base64,(.*)$/s.exec(textIn(given.url) ?? '') ?? []
  const mediaType = textIn(given.mediaType) ?? textIn(dataType)
  const kind = given.media ?? kindOf(mediaType)
  return {
    kind: 'media',
    media: kind,
    mediaType,
    url: base64 === undefined ? textIn(given.url) : undefined,
    data: base64 ?? textIn(given.data),
    fileId: textIn(given.fileId),
    name: textIn(given.name),
    raw,
    form,
    from,
    item,
  }
}

function kindOf(mediaType = ''): SaidMedia['media'] {
  if (mediaType.startsWith('image/')) return 'image'
  return mediaType.startsWith('audio/') ? 'audio' : 'file'
}

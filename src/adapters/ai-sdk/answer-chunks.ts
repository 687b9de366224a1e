import type { UIMessageChunk } from 'ai'
import type { Part } from './answer-parts.ts'

/**
 * Says a stored answer again in chunks: all that is there from the beginning, and then what has changed since it was
 * last asked. A client that takes them has the same parts.
 */
export class AnswerChunks {
  #told: Part[] = []
  #isInStep = false;

  /** What has changed in the parts. */
  *changed(parts: readonly Part[]): Generator<UIMessageChunk, void, undefined> {
    if (this.#told.some((told, i) => !isLater(told, parts[i]))) {
      // A step that was taken back: only its parts are told anew.
      yield { type: 'reset-step' }
      this.#told.length = this.#told.findLastIndex(({ type }) => type === 'step-start') + 1
    }
    for (const [i, part] of parts.entries()) {
      if (part.type === 'step-start' && this.#told[i] === undefined) {
        if (this.#isInStep) yield { type: 'finish-step' }
        this.#isInStep = true
      }
      for (const chunk of partChunks(this.#told[i], part, i))
        yield chunk as object as UIMessageChunk
    }
    this.#told = structuredClone([...parts])
  }

  /** The end. */
  *end(isWhole: boolean): Generator<UIMessageChunk, void, undefined> {
    if (this.#isInStep && isWhole) yield { type: 'finish-step' }
    yield { type: isWhole ? 'finish' : 'abort' }
  }
}

function* partChunks(before: Part | undefined, after: Part, i: number): Generator<object> {
  const { type } = after
  if (type === 'text' || type === 'reasoning') yield* textChunks(before, after, i)
  else if (type.startsWith('tool-') || type === 'dynamic-tool') yield* toolChunks(before, after)
  else if (type === 'step-start') {
    if (before === undefined) yield { type: 'start-step' }
  } else if (before === undefined || !isSame(before, after)) yield after
}

function* textChunks(before: Part | undefined, after: Part, i: number): Generator<object> {
  const { type, text, state, citations, providerMetadata } = after
  const id = (after['id'] as string | undefined) ?? String(i)
  const more = providerMetadata !== undefined && { providerMetadata }
  if (before === undefined) yield { type: `${type}-start`, id, ...more }
  const told = (before?.['text'] as string | undefined) ?? ''
  const delta = (text as string).slice(told.length)
  if (delta !== '') yield { type: `${type}-delta`, id, delta, ...more }
  const isDone = state !== 'streaming' && (before === undefined || before['state'] === 'streaming')
  if (isDone)
    yield { type: `${type}-end`, id, ...(citations !== undefined && { citations }), ...more }
}

function* toolChunks(before: Part | undefined, after: Part): Generator<object> {
  const { type, toolCallId, state, input, callProviderMetadata } = after
  const isDynamic = type === 'dynamic-tool'
  const toolName = isDynamic ? after['toolName'] : type.slice('tool-'.length)
  const { title, toolMetadata, providerExecuted, inputEncoding } = after
  const more = { title, toolMetadata, providerExecuted, providerMetadata: callProviderMetadata }
  const call = { toolCallId, toolName, ...(isDynamic && { dynamic: true }), ...more }
  if (state === 'input-streaming') {
    if (before === undefined) yield { type: 'tool-input-start', ...call, inputEncoding }
    const told = (before?.['rawInput'] as string | undefined) ?? ''
    const inputTextDelta = ((after['rawInput'] as string | undefined) ?? '').slice(told.length)
    if (inputTextDelta !== '') yield { type: 'tool-input-delta', toolCallId, inputTextDelta }
    return
  }
  if (before === undefined || before['state'] === 'input-streaming') {
    yield { type: 'tool-input-available', ...call, input }
  }
  yield* approvalChunks(before, after)
  if (before === undefined || !isSame(before, after)) yield* outputChunks(after)
}

function* approvalChunks(before: Part | undefined, after: Part): Generator<object> {
  const approval = after['approval'] as Record<string, unknown> | undefined
  if (approval === undefined) return
  const told = before?.['approval'] as Record<string, unknown> | undefined
  const { toolCallId } = after
  const { id: approvalId, approved, reason, descriptor, requestReason, ...rest } = approval
  if (told === undefined) {
    const asked = { approvalDescriptor: descriptor, reason: requestReason, ...rest }
    yield { type: 'tool-approval-request', approvalId, toolCallId, ...asked }
  }
  if (approved !== undefined && told?.['approved'] === undefined) {
    yield { type: 'tool-approval-response', approvalId, approved, reason }
  }
}

function* outputChunks(part: Part): Generator<object> {
  const { toolCallId, state, output, errorText, preliminary } = part
  const { resultProviderMetadata: providerMetadata } = part
  if (state === 'output-available') {
    yield { type: 'tool-output-available', toolCallId, output, preliminary, providerMetadata }
  }
  if (state === 'output-error') {
    yield { type: 'tool-output-error', toolCallId, errorText, providerMetadata }
  }
  if (state === 'output-denied') yield { type: 'tool-output-denied', toolCallId }
}

/** True for the same part, as far as it has come since. */
function isLater(told: Part, part: Part | undefined): boolean {
  if (part === undefined || part.type !== told.type) return false
  if (part['toolCallId'] !== told['toolCallId']) return false
  return typeof told['text'] !== 'string' || String(part['text']).startsWith(told['text'])
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

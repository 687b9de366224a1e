// Goal: an answer is stored, and told again to those who follow it, as the AI SDK makes it. Method: random chunks, which
// the SDK, the stored changes and the repeated chunks make the same message of.
import { readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyStep, stepOf } from '../../chat/streams/step.ts'
import { AnswerChunks } from './answer-chunks.ts'
import { AnswerParts, type Part } from './answer-parts.ts'

/** What a client makes of chunks. */
async function shown(chunks: ReadableStream<UIMessageChunk>): Promise<UIMessage | undefined> {
  let last: UIMessage | undefined
  for await (const message of readUIMessageStream({ stream: chunks })) last = message
  return last
}

describe('the parts of an answer', () => {
  /** One step of a model and its tools: whatever each says comes between what the others say. */
  const said = fc.string({ unit: 'binary', maxLength: 4 })
  const metadata = fc.constantFrom(undefined, { p: { a: 1 } }, { p: { b: '2' } })
  const texts = fc.tuple(
    fc.constantFrom('text', 'reasoning'),
    fc.constantFrom('0', '1'),
    fc.array(said, { maxLength: 3 }),
    fc.boolean(),
    metadata,
  )
  const block = texts.map(([type, id, deltas, isEnded, given]) => [
    { type: `${type}-start`, id, ...(given && { providerMetadata: given }) },
    ...deltas.map((delta) => ({ type: `${type}-delta`, id, delta })),
    ...(isEnded ? [{ type: `${type}-end`, id, ...(given && { providerMetadata: given }) }] : []),
  ])
  const callOf = fc.record({
    id: fc.constantFrom('k1', 'k2', 'k3'),
    raw: fc.array(said, { maxLength: 2 }),
    end: fc.constantFrom('none', 'input', 'bad', 'ask', 'yes', 'no', 'output', 'late', 'error'),
    extra: fc.constantFrom({}, { title: 'T', providerExecuted: true, toolMetadata: { m: 1 } }),
    given: metadata,
  })
  const call = callOf.map(({ id: toolCallId, raw, end, extra, given }) => {
    const dynamic = toolCallId === 'k3'
    const base = { toolCallId, toolName: 'x', ...(dynamic && { dynamic }), ...extra }
    const provider = given && { providerMetadata: given }
    const chunks: object[] = [{ type: 'tool-input-start', ...base }]
    for (const inputTextDelta of raw)
      chunks.push({ type: 'tool-input-delta', toolCallId, inputTextDelta })
    if (end === 'none') return chunks
    const isBad = end === 'bad'
    chunks.push({
      type: isBad ? 'tool-input-error' : 'tool-input-available',
      ...base,
      input: { a: 1 },
      ...(isBad && { errorText: 'bad' }),
      ...provider,
    })
    const ask = { type: 'tool-approval-request', approvalId: `ask-${toolCallId}`, toolCallId }
    const respond = { type: 'tool-approval-response', approvalId: ask.approvalId, reason: 'so' }
    if (['ask', 'yes', 'no'].includes(end)) chunks.push({ ...ask, reason: 'why', signature: 's' })
    if (end === 'yes') chunks.push({ ...respond, approved: true })
    if (end === 'no')
      chunks.push({ ...respond, approved: false }, { type: 'tool-output-denied', toolCallId })
    if (end === 'late')
      chunks.push({ type: 'tool-output-available', toolCallId, output: 1, preliminary: true })
    if (['yes', 'output', 'late'].includes(end))
      chunks.push({ type: 'tool-output-available', toolCallId, output: { b: [null] }, ...provider })
    if (end === 'error')
      chunks.push({ type: 'tool-output-error', toolCallId, errorText: 'no', ...provider })
    return chunks
  })
  const single = fc
    .oneof(
      fc.constantFrom<object>(
        { type: 'source-url', sourceId: 's', url: 'https://a.example/' },
        { type: 'source-document', sourceId: 's', mediaType: 'a/b', title: 't' },
        { type: 'file', mediaType: 'a/b', url: 'data:,' },
        { type: 'reasoning-file', mediaType: 'a/b', url: 'data:,' },
        { type: 'custom', kind: 'a.b' },
        { type: 'data-x', data: 1 },
        { type: 'data-x', id: 'd', data: { y: 1 } },
        { type: 'data-x', id: 'd', data: 2 },
        { type: 'data-y', data: 3, transient: true },
        { type: 'message-metadata', messageMetadata: { a: { b: 1 } } },
        { type: 'message-metadata', messageMetadata: { a: { c: 1 }, d: 1 } },
        { type: 'reset-step' },
      ),
    )
    .map((chunk) => [chunk])
  /** A call begins once in a step. */
  const isFirst = (chunks: object[], i: number, blocks: object[][]): boolean => {
    const id = (each: object[]): unknown => (each[0] as { toolCallId?: string }).toolCallId
    return id(chunks) === undefined || blocks.findIndex((other) => id(other) === id(chunks)) === i
  }
  const step = fc
    .array(fc.oneof(block, call, single), { maxLength: 5 })
    .map((blocks) => blocks.filter(isFirst).flat())
    .map((chunks) => [{ type: 'start-step' }, ...chunks, { type: 'finish-step' }])
  /** And an approval is asked for once. */
  const ofStep = (chunk: object, i: number): object =>
    'approvalId' in chunk ? { ...chunk, approvalId: `${String(chunk.approvalId)}-${i}` } : chunk
  const chunksOf = fc
    .array(step, { maxLength: 3 })
    .map((steps) => steps.flatMap((chunks, i) => chunks.map((chunk) => ofStep(chunk, i))))

  async function bySdk(chunks: readonly object[]): Promise<unknown> {
    const stream = new ReadableStream<UIMessageChunk>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk as UIMessageChunk)
        controller.enqueue({ type: 'message-metadata', messageMetadata: {} })
        controller.close()
      },
    })
    return comparable(await shown(stream))
  }

  /** Half an input is kept as its text alone. */
  function comparable(message: unknown): unknown {
    const { parts, metadata: own } = JSON.parse(JSON.stringify(message)) as UIMessage
    const kept = parts.map((part) => {
      if (!('state' in part) || part.state !== 'input-streaming') return part
      const { input: _input, ...rest } = part
      return { ...rest, rawInput: part.rawInput ?? '' }
    })
    return { metadata: own ?? {}, parts: kept }
  }

  test('are those that the SDK makes of the same chunks, also for those who follow', async () => {
    await fc.assert(
      fc.asyncProperty(chunksOf, fc.infiniteStream(fc.boolean()), async (chunks, looks) => {
        const sdk = await bySdk(chunks)
        const parts = new AnswerParts()
        const draft: Record<string, unknown> = {}
        const follower = new AnswerChunks()
        const followed: object[] = []
        for (const chunk of chunks) {
          for (const delta of parts.take(chunk as UIMessageChunk))
            applyStep(draft, stepOf(draft, delta))
          const shownParts = (draft['parts'] ?? []) as Part[]
          if (looks.next().value) followed.push(...follower.changed(shownParts))
        }
        followed.push(...follower.changed((draft['parts'] ?? []) as Part[]))
        const stored = { metadata: draft['metadata'], parts: draft['parts'] ?? [] }
        expect(comparable(stored)).toEqual(sdk)
        expect(comparable({ parts: parts.parts })).toEqual({
          metadata: {},
          parts: (sdk as UIMessage).parts,
        })
        const again = (await bySdk(followed)) as UIMessage
        expect(again.parts).toEqual((sdk as UIMessage).parts)
      }),
      { numRuns: Number(process.env['AI_SDK_RUNS'] ?? 60) },
    )
  })
})

// One turn with a model that is none, from a client that leaves before the answer, and the same turn again.
{
  const { MockLanguageModelV4, simulateReadableStream } = await import('ai/test')
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 1, text: 1, reasoning: 0 },
  }
  const model = new MockLanguageModelV4({
    doStream: async () => ({
      stream: simulateReadableStream({
        chunks: [
          { type: 'text-start' as const, id: '1' },
          { type: 'text-delta' as const, id: '1', delta: 'Hi' },
          { type: 'text-end' as const, id: '1' },
          {
            type: 'finish' as const,
            finishReason: { unified: 'stop' as const, raw: 'stop' },
            usage,
          },
        ],
      }),
    }),
  })
  const question = {
    id: 'q1',
    role: 'user' as const,
    parts: [{ type: 'text' as const, text: 'Hello' }],
  }
  const first = await answer(model, 'demo', question)
  await first.body?.cancel()
  for (let tries = 0; (await loadMessages('demo')).length < 2; tries++) {
    if (tries === 100) throw new Error('the answer was not saved')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await (await answer(model, 'demo', question)).text()
  const texts = (await loadMessages('demo')).map(({ id, role, parts }) => [
    id,
    role,
    parts[0]?.type,
  ])
  const [asked, answered] = texts
  if (asked?.[0] !== 'q1' || answered?.[0] !== 'q1-answer') throw new Error(JSON.stringify(texts))
  if (texts.length !== 2) throw new Error(JSON.stringify(texts))
}

// What Next.js does with the snippet's functions.
{
  const context = { params: Promise.resolve({ id: 'demo' }) }
  const send = async (): Promise<void> => {
    const body = JSON.stringify({ id: 'q1', content: 'Hello' })
    const response = await POST(new Request('http://localhost/', { method: 'POST', body }), context)
    if (!response.ok) throw new Error(await response.text())
  }
  await send()
  await send()
  const texts = await (await GET(new Request('http://localhost/'), context)).text()
  if (texts.split('"Hello"').length !== 2 || !texts.includes('assistant')) throw new Error(texts)
}

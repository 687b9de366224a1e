// What Next.js does with the snippet's functions.
{
  const context = { params: Promise.resolve({ id: 'c1' }) }
  const parts = [{ type: 'text', text: 'When does it leave?' }]
  const body = JSON.stringify({ id: 'c1', message: { id: 'q1', role: 'user', parts } })
  const response = await POST(new Request('http://localhost/', { method: 'POST', body }))
  const text = await response.text()
  if (!text.includes('At nine.')) throw new Error(text)
  const resumed = await GET(new Request('http://localhost/'), context)
  if (resumed.status !== 204) throw new Error(String(resumed.status))
  const { messages } = await history.getHistory('c1')
  if (messages.length !== 2) throw new Error(JSON.stringify(messages))
  await history.close()
}

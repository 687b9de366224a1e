// What a client of the snippet's server does: it asks twice, and reads the history.
{
  const url = `http://127.0.0.1:${process.env['PORT']}/chat/demo`
  const send = async (): Promise<string> => {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ id: 'q1', content: 'Hello' })
    const response = await fetch(url, { method: 'POST', headers, body })
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
    return response.text()
  }
  for (let tries = 1; ; tries++) {
    try {
      await send()
      break
    } catch (error) {
      if (tries === 50 || !(error instanceof TypeError)) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  await send()
  const page: unknown = await (await fetch(url)).json()
  const texts = JSON.stringify(page)
  if (texts.split('"Hello"').length !== 2 || !texts.includes('assistant')) throw new Error(texts)
  process.exit(0)
}

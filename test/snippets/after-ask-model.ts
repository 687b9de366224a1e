// A server that speaks the API, cutting its lines anywhere.
{
  const { createServer } = await import('node:http')
  const server = createServer((request, response) => {
    if (request.url !== '/v1/chat/completions') response.writeHead(404)
    const event = (content: string): string =>
      `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`
    const text = `data: {"choices":[]}\n\n${event('Hel')}${event('lo')}data: [DONE]\n\n`
    response.write(text.slice(0, 30))
    setTimeout(() => response.end(text.slice(30)), 50)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  process.env['OPENAI_BASE_URL'] = `http://127.0.0.1:${address.port}/v1`
  let text = ''
  for await (const word of askModel([])) text += word
  if (text !== 'Hello') throw new Error(text)
  server.close()
}

for (const conversation of ['c0', 'c1']) {
  const contents: unknown[] = []
  for await (const { content } of history.messages(conversation)) contents.push(content)
  const first = conversation === 'c0' ? 'message 2' : 'message 1'
  if (contents.length !== 125 || contents[0] !== first) throw new Error(JSON.stringify(contents))
}

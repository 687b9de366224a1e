// There and back again.
{
  const all = [
    new SystemMessage('Be brief.'),
    new HumanMessage({ id: 'q1', content: [{ type: 'text', text: 'Where is it?' }] }),
    new AIMessage({ content: '', tool_calls: [{ id: 'c1', name: 'find', args: { n: 1 } }] }),
    new ToolMessage({ content: 'sent', tool_call_id: 'c1', name: 'find' }),
    new AIMessage({ id: 'a1', content: 'It was sent.' }),
  ]
  await history.saveMessages('demo', all.map(fromLangChain))
  const { messages } = await history.getHistory('demo')
  const back = messages.map(toLangChain)
  if (back.length !== all.length) throw new Error(String(back.length))
  for (const [i, message] of back.entries()) {
    const { type, content } = all[i]!
    const same = JSON.stringify([type, content]) === JSON.stringify([message.type, message.content])
    if (!same) throw new Error(JSON.stringify([all[i], message]))
  }
  const [call] = (back[2] as AIMessage).tool_calls ?? []
  if (call?.name !== 'find' || call.args['n'] !== 1) throw new Error(JSON.stringify(back[2]))
  if ((back[3] as ToolMessage).tool_call_id !== 'c1') throw new Error(JSON.stringify(back[3]))
  if (back[4]?.id !== 'a1') throw new Error(JSON.stringify(back[4]))
}

// Goal: a message that is being written keeps what came of it in forks, copies of forks, alternatives, exports and
// the feed; and nobody is ever shown how it is stored.
import { expect, onTestFinished, test } from 'vitest'
import type { ChangeEvent } from '../../src/chat/changes/change.ts'
import type { ChatHistory } from '../../src/index.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { ASSISTANT, leftBehind, streamRig, type Rig } from '../support/stream-rig.ts'

/** Two histories; the first writes message `m` of conversation `c`, of which this much is stored. */
async function writing(text: string, rig: Rig = streamRig()) {
  const [one, two] = [await rig.open(), await rig.open()]
  await one.saveMessage('c', { id: 'q', role: 'user', content: 'Hello?' })
  const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
  await stream.append(text)
  await stream.flush()
  return { one, two, stream }
}

async function shown(history: ChatHistory, conversationId: string): Promise<readonly unknown[]> {
  const { messages } = await history.getHistory(conversationId)
  for (const message of messages) expect(message).not.toHaveProperty('$stream')
  return messages.map(({ id, content, status }) => [id, content, status])
}

const QUESTION = ['q', 'Hello?', undefined]

test('a fork shows a message as far as it has come, and its end', async () => {
  const { one, two, stream } = await writing('Hel')
  await two.fork('c', { as: 'f' })
  expect(await shown(two, 'f')).toEqual([QUESTION, ['m', 'Hel', 'in_progress']])
  await stream.append('lo')
  await stream.finish()
  expect(await shown(two, 'f')).toEqual([QUESTION, ['m', 'Hello', 'completed']])
  expect(await shown(one, 'c')).toEqual(await shown(two, 'f'))
})

test.each<[string, (history: ChatHistory) => Promise<unknown>]>([
  ['removed', (history) => history.deleteMessage('c', 'm')],
  ['edited', (history) => history.updateMessage('c', 'm', { ...ASSISTANT, content: 'No.' })],
  ['truncated', (history) => history.truncate('c', { from: 'q' })],
  ['cleared', (history) => history.clearHistory('c')],
  ['deleted', (history) => history.deleteConversation('c')],
])('a fork keeps what had come when the source is %s', async (_name, change) => {
  const { two, stream } = await writing('Hel')
  await two.fork('c', { as: 'f' })
  await change(two)
  const kept = [QUESTION, ['m', 'Hel', 'incomplete']]
  expect(await shown(two, 'f')).toEqual(kept)
  await expect(stream.finish())
    .rejects.toMatchObject({ code: 'NOT_FOUND' })
    .catch(() => {})
  expect(await shown(two, 'f')).toEqual(kept)
})

test('a message that goes by a message sent again is kept as far as it had come', async () => {
  const { two } = await writing('Hel')
  const again = { id: 'q2', role: 'user', content: 'Hello again?' } as const
  const { kept } = await two.editAndResend('c', 'q', again)
  expect(await shown(two, 'c')).toEqual([['q2', 'Hello again?', undefined]])
  expect(await shown(two, kept)).toEqual([QUESTION, ['m', 'Hel', 'incomplete']])
})

test('a fork changes what is being written for itself alone', async () => {
  const { two, stream } = await writing('Hel')
  await two.fork('c', { as: 'f' })
  await two.fork('c', { as: 'g' })
  await two.updateMessage('f', 'm', { ...ASSISTANT, content: 'No.' })
  await two.deleteMessage('g', 'm')
  await stream.append('lo')
  await stream.finish()
  expect(await shown(two, 'c')).toEqual([QUESTION, ['m', 'Hello', 'completed']])
  expect(await shown(two, 'f')).toEqual([QUESTION, ['m', 'No.', undefined]])
  expect(await shown(two, 'g')).toEqual([QUESTION])
})

test('other answers wait for the end of the one that is being written', async () => {
  const { two, stream } = await writing('Hel')
  const other = { ...ASSISTANT, id: 'n', content: 'Hi' }
  expect((await two.listAlternatives('c', 'm')).alternatives).toEqual([
    { id: 'm', active: true, message: (await two.getMessage('c', 'm'))! },
  ])
  await expect(two.addAlternative('c', 'm', other)).rejects.toMatchObject({ code: 'CONFLICT' })
  await two.addAlternative('c', 'm', other, { choose: false })
  await two.addAlternative('c', 'm', other, { choose: false })
  await two.chooseAlternative('c', 'm', 'm')
  await expect(two.chooseAlternative('c', 'm', 'n')).rejects.toMatchObject({ code: 'CONFLICT' })
  await stream.append('lo')
  await stream.finish()
  await two.chooseAlternative('c', 'm', 'n')
  await two.chooseAlternative('c', 'm', 'm')
  expect(await shown(two, 'c')).toEqual([QUESTION, ['m', 'Hello', 'completed']])
  const { alternatives } = await two.listAlternatives('c', 'm')
  expect(alternatives.map(({ id, message }) => [id, message.content])).toEqual([
    ['m', 'Hello'],
    ['n', 'Hi'],
  ])
})

test('an answer that was left behind is one of several', async () => {
  const rig = streamRig()
  await leftBehind(await rig.open(), 'm', 'Hel')
  const history = await rig.open()
  await history.addAlternative('c', 'm', { ...ASSISTANT, id: 'n', content: 'Hi' })
  expect(await shown(history, 'c')).toEqual([['m', 'Hi', undefined]])
  await history.chooseAlternative('c', 'm', 'm')
  expect(await shown(history, 'c')).toEqual([['m', 'Hel', 'incomplete']])
  expect(await history.store.list('stream/')).toEqual([])
})

test.each(['own', 'other'])(
  'a follower in the %s process sees a stream and its end',
  async (of) => {
    const rig = streamRig()
    const [one, two] = [await rig.open(), await rig.open()]
    const told: ChangeEvent[] = []
    const changes = (of === 'own' ? one : two).subscribe({
      conversationId: 'c',
      since: 'beginning',
    })
    onTestFinished(() => changes.close())
    const following = (async () => {
      for await (const change of changes) told.push(change)
    })()
    await eventually(() => expect(told.at(-1)?.type).toBe('ready'))
    const stream = await one.startMessage('c', { ...ASSISTANT, id: 'm' })
    await eventually(() =>
      expect(told.at(-1)).toMatchObject({ type: 'message', message: { status: 'in_progress' } }),
    )
    await stream.append('Hello')
    await stream.finish()
    const whole = { content: 'Hello', status: 'completed' }
    await eventually(() => expect(told.at(-1)).toMatchObject({ type: 'updated', message: whole }))
    await two.fork('c', { as: 'f' })
    expect(JSON.stringify(told)).not.toContain('$stream')
    changes.close()
    await following
  },
)

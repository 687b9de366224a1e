// Goal: graphs of the framework run on this saver and this store, and the saver passes the framework's own suite.
import { Annotation, Command, END, interrupt, START, StateGraph } from '@langchain/langgraph'
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkpointerSuite } from '../../test/support/checkpointer-suite.ts'
import { directory, files, MEMORY, open, threadConfig } from '../../test/support/langgraph-rig.ts'
import { openChatHistory, type ChatHistory } from '../index.ts'
import { EverthreadSaver, EverthreadStore } from './langgraph.ts'

describe('the suite of the framework', () => {
  let history: ChatHistory
  beforeAll(async () => {
    history = await openChatHistory(MEMORY)
  })
  afterAll(() => history.close())
  checkpointerSuite('memory', () => history)
})

const State = Annotation.Root({
  n: Annotation<number>,
  log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
})

/** Adds one, asks for a name, and answers. */
const asking = (checkpointer: BaseCheckpointSaver) =>
  new StateGraph(State)
    .addNode('one', ({ n }) => ({ n: n + 1, log: ['one'] }))
    .addNode('ask', () => ({ log: [`hello ${interrupt<string, string>('name?')}`] }))
    .addEdge(START, 'one')
    .addEdge('one', 'ask')
    .addEdge('ask', END)
    .compile({ checkpointer })

describe('graphs', () => {
  test('one that was interrupted goes on in another process, with another saver', async () => {
    const path = await directory()
    const first = await openChatHistory(files(path))
    const paused = await asking(new EverthreadSaver(first)).invoke({ n: 1 }, threadConfig('t'))
    expect(paused).toMatchObject({ n: 2, __interrupt__: [{ value: 'name?' }] })
    await first.close()
    const graph = asking(new EverthreadSaver(await open(files(path))))
    const resumed = await graph.invoke(new Command({ resume: 'ann' }), threadConfig('t'))
    expect(resumed).toEqual({ n: 2, log: ['one', 'hello ann'] })
  })

  test.each(['exit', 'async', 'sync'] as const)('with durability %s', async (durability) => {
    const graph = asking(new EverthreadSaver(await open()))
    const options = { ...threadConfig('t'), durability }
    await graph.invoke({ n: 1 }, options)
    await graph.invoke(new Command({ resume: 'ann' }), options)
    expect((await graph.getState(threadConfig('t'))).values).toEqual({
      n: 2,
      log: ['one', 'hello ann'],
    })
  })

  test('branches that go on from one checkpoint keep their own values', async () => {
    const graph = asking(new EverthreadSaver(await open()))
    await graph.invoke({ n: 1 }, threadConfig('t'))
    const states = []
    for await (const state of graph.getStateHistory(threadConfig('t'))) states.push(state)
    const { config } = states.find(({ metadata }) => metadata?.step === 0)!
    const branches = await Promise.all(
      [10, 20, 30].map((n) => graph.updateState(config, { n, log: [`is ${n}`] }, 'one')),
    )
    for (const [i, n] of [10, 20, 30].entries()) {
      expect((await graph.getState(branches[i]!)).values).toEqual({ n, log: [`is ${n}`] })
    }
    expect((await graph.getState(states[0]!.config)).values).toEqual({ n: 2, log: ['one'] })
  })

  test('memory of a graph is kept for the next thread', async () => {
    const store = new EverthreadStore(await open())
    const graph = new StateGraph(State)
      .addNode('visit', async (_state, config) => {
        const seen = await config.store!.get(['visits'], 'ann')
        const count = Number(seen?.value['count'] ?? 0) + 1
        await config.store!.put(['visits'], 'ann', { count })
        return { n: count }
      })
      .addEdge(START, 'visit')
      .addEdge('visit', END)
      .compile({ store })
    await graph.invoke({})
    expect(await graph.invoke({})).toMatchObject({ n: 2 })
  })
})

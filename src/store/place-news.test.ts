import { expect, test } from 'vitest'
import type { Logger } from '../core/logger.ts'
import { virtualEnv } from '../testing/virtual-env.ts'
import { PlaceNews } from './place-news.ts'

function setup() {
  const lines: string[] = []
  const say = (fields: object, text: string): void => {
    const { error } = fields as { error?: string }
    lines.push(error === undefined ? text : `${text}: ${error}`)
  }
  const logger: Logger = { debug: say, info: say, warn: say, error: say }
  const env = virtualEnv({ logger })
  const state = { connected: true, up: true }
  const news = new PlaceNews(env, {
    primary: {
      title: 'the primary',
      isConnected: () => state.connected,
      isUp: () => state.up,
      reason: () => 'primary: refused',
    },
  })
  const looks = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      news.look()
      await env.advance(1_000)
    }
  }
  return { lines, state, news, looks, env }
}

test('a place that goes out and comes back is a line each, however often it is looked at', async () => {
  const { lines, state, looks } = setup()
  await looks(3)
  state.up = false
  await looks(30)
  state.up = true
  await looks(30)
  expect(lines).toEqual(['the primary is out and is tried again: refused', 'the primary is back'])
})

test('one that was not there at the start is told of once, and is back once it is connected', async () => {
  const { lines, state, news, looks } = setup()
  state.connected = false
  news.opened([{ place: 'primary', error: new Error('primary: refused') }])
  await looks(20)
  state.connected = true
  await looks(3)
  expect(lines).toEqual([
    'the primary is not connected and is tried again: refused',
    'the primary is back',
  ])
})

test('one that comes and goes each second is not told of each second, and its end is right', async () => {
  const { lines, state, looks } = setup()
  for (let i = 0; i < 60; i++) {
    state.up = i % 3 === 0
    await looks(1)
  }
  expect(lines.length).toBeLessThan(15)
  state.up = false
  await looks(12)
  expect(lines.at(-1)).toContain('is out')
})

test('saves with one copy are told of once in an outage, and again in the next one', async () => {
  const { lines, news, env } = setup()
  for (let i = 0; i < 100; i++) {
    news.oneCopy(['primary'])
    await env.advance(1_000)
  }
  expect(lines).toEqual(['saves have one copy only, in the primary, until another place is back'])
  await env.advance(60_000)
  news.oneCopy(['primary'])
  expect(lines).toHaveLength(2)
})

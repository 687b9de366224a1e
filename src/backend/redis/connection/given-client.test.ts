import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { nodeEnv } from '../../../core/node-env.ts'
import { GivenRouter, type NodeRedisClient } from './given-client.ts'

/** A client of the application whose server is out: it is open and never ready. */
class OutClient extends EventEmitter implements NodeRedisClient {
  readonly isOpen = true
  isReady = false

  async connect(): Promise<void> {}

  async sendCommand(): Promise<unknown> {
    return ''
  }
}

function countOf(client: EventEmitter): number {
  return client.eventNames().reduce((sum, name) => sum + client.listenerCount(name), 0)
}

test('attempts to connect leave no listeners on the client of the application', async () => {
  const client = new OutClient()
  client.on('error', () => {})
  const before = countOf(client)
  const router = new GivenRouter(nodeEnv(), client, 5)
  for (let i = 0; i < 3; i++) {
    await expect(router.connect()).rejects.toMatchObject({ code: 'TIMEOUT' })
    const failing = router.connect()
    client.emit('error', new Error('refused'))
    await expect(failing).rejects.toThrow('refused')
  }
  const connecting = router.connect()
  client.isReady = true
  client.emit('ready')
  await connecting
  router.close()
  expect(countOf(client)).toBe(before)
})

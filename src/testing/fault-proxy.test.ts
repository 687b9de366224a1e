import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { FaultProxy } from './fault-proxy.ts'

test('pass delivers both directions and counts the bytes', async () => {
  const { proxy, dial } = await setup()
  const client = await dial()
  client.write('hello')
  expect(await read(client, 5)).toBe('hello')
  expect(proxy.stats).toEqual({ connections: 1, up: 5, down: 5 })
})

test('a black hole holds data and delivers it when it is lifted', async () => {
  const { proxy, dial, seen } = await setup()
  const client = await dial()
  await proxy.set({ kind: 'black-hole', direction: 'down' })
  client.write('hello')
  await until(() => seen() === 'hello')
  expect(proxy.stats.down).toBe(0)
  await proxy.set({ kind: 'pass' })
  expect(await read(client, 5)).toBe('hello')
})

test('a black hole towards the server keeps requests from it', async () => {
  const { proxy, dial, seen } = await setup()
  const client = await dial()
  await proxy.set({ kind: 'black-hole', direction: 'up' })
  client.write('hello')
  const second = await dial()
  await until(() => proxy.stats.connections === 2)
  second.destroy()
  expect(seen()).toBe('')
  await proxy.set({ kind: 'pass' })
  expect(await read(client, 5)).toBe('hello')
})

test('dropped replies never come, although the server got the request', async () => {
  const { proxy, dial, seen } = await setup()
  const client = await dial()
  await proxy.set({ kind: 'drop', direction: 'down' })
  client.write('lost')
  await until(() => seen() === 'lost')
  // Its answer is on its way to the proxy, where nothing tells of it.
  await delay(50)
  await proxy.set({ kind: 'pass' })
  client.write('kept')
  expect(await read(client, 4)).toBe('kept')
})

test('faults that are lifted twice at the same moment bring the port back once', async () => {
  const { proxy, dial } = await setup()
  await proxy.set({ kind: 'refuse' })
  await Promise.all([proxy.set({ kind: 'pass' }), proxy.set({ kind: 'pass' })])
  const client = await dial()
  client.write('up')
  expect(await read(client, 2)).toBe('up')
})

test('reset ends a live connection at its next byte and a new one at once', async () => {
  const { proxy, dial } = await setup()
  const client = await dial()
  await proxy.set({ kind: 'reset' })
  client.write('x')
  expect(await failure(client)).toBe('ECONNRESET')
  expect(await failure(connect(proxy.port, '127.0.0.1'))).toBe('ECONNRESET')
})

test('refuse takes the port away and pass brings the same one back', async () => {
  const { proxy, dial } = await setup()
  const live = await dial()
  await proxy.set({ kind: 'refuse' })
  expect(await failure(connect(proxy.port, '127.0.0.1'))).toBe('ECONNREFUSED')
  live.write('still')
  expect(await read(live, 5)).toBe('still')
  await proxy.set({ kind: 'pass' })
  const client = await dial()
  client.write('back')
  expect(await read(client, 4)).toBe('back')
})

test('cut passes exactly so many bytes and then resets', async () => {
  const { proxy, dial, seen } = await setup()
  const client = await dial()
  await proxy.set({ kind: 'cut', bytes: 3, direction: 'up' })
  client.write('hello')
  expect(await failure(client)).toBe('ECONNRESET')
  await until(() => seen() === 'hel')
  expect(proxy.stats.up).toBe(3)
})

test('delay keeps the order of what it delays', async () => {
  const { proxy, dial } = await setup()
  const client = await dial()
  await proxy.set({ kind: 'delay', delayMs: 20 })
  client.write('a')
  client.write('b')
  client.write('c')
  expect(await read(client, 3)).toBe('abc')
})

test('killAll resets live connections and lets new ones in', async () => {
  const { proxy, dial } = await setup()
  const client = await dial()
  await until(() => proxy.live === 1)
  const failed = failure(client)
  proxy.killAll()
  expect(await failed).toBe('ECONNRESET')
  const next = await dial()
  next.write('next')
  expect(await read(next, 4)).toBe('next')
})

/** An echo server behind a proxy. */
async function setup(): Promise<{
  proxy: FaultProxy
  dial: () => Promise<Socket>
  seen: () => string
}> {
  let seen = ''
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      seen += data.toString()
      socket.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await FaultProxy.open({ port: (server.address() as AddressInfo).port })
  onTestFinished(async () => {
    await proxy.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const dial = async (): Promise<Socket> => {
    const socket = connect(proxy.port, '127.0.0.1')
    sockets.add(socket)
    await once(socket, 'connect')
    socket.on('error', () => {})
    return socket
  }
  return { proxy, dial, seen: () => seen }
}

async function read(socket: Socket, bytes: number): Promise<string> {
  let text = ''
  while (text.length < bytes) {
    const [data] = (await once(socket, 'data')) as [Buffer]
    text += data.toString()
  }
  return text
}

async function failure(socket: Socket): Promise<string | undefined> {
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
  return error.code
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 10_000, interval: 5 }).toBe(true)
}

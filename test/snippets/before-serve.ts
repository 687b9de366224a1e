import { getRequestListener } from '@hono/node-server'
import { openChatHistory as openServed } from 'everthread'
import { createHandler as servedBy } from 'everthread/server'
import { createServer } from 'node:http'

// What `everthread serve` does, without a port of its own.
const served = await openServed({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
const listener = getRequestListener(servedBy(served, { auth: 'none' }))
const server = createServer((request, response) => void listener(request, response))
await new Promise<void>((resolve) =>
  server.listen(Number(process.env['PORT']), '127.0.0.1', resolve),
)

import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { isLoopback } from '../core/node-loopback.ts'
import type { Handler } from './handler.ts'

/** Where a server listens. */
export interface ListenOptions {
  readonly port: number
  readonly host: string
  /** PEM texts. Default: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Refuse requests that were sent to another name than this machine's: a page may have one that leads here. */
  readonly localNamesOnly: boolean
  /** How long requests that have begun may take once it is closing; milliseconds. */
  readonly drainMs: number
}

export interface RunningServer {
  /** `http://127.0.0.1:3000` */
  readonly url: string
  /** Says that it is not ready any more, lets requests that have begun end, and closes. */
  close(): Promise<void>
}

/** A server of this process: `everthread serve`. The history stays open when it closes. */
export async function serve(handler: Handler, options: ListenOptions): Promise<RunningServer> {
  const { port, host, tls, drainMs, localNamesOnly } = options
  let isClosing = false
  const fetch: Handler = async (request) => {
    if (isClosing && request.url.endsWith('/readyz')) return notReady()
    if (localNamesOnly && !isLoopback(hostOf(request))) return misdirected()
    const response = await handler(request)
    // So that a client does not keep a connection that is about to go.
    if (isClosing) response.headers.set('connection', 'close')
    return response
  }
  const server = createAdaptorServer({
    fetch,
    ...(tls !== undefined && { createServer: createSecureServer, serverOptions: tls }),
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const { port: own } = server.address() as AddressInfo
  const shown = host.includes(':') ? `[${host}]` : host
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${shown}:${own}`,
    async close() {
      isClosing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      if ('closeIdleConnections' in server) server.closeIdleConnections()
      const late = setTimeout(() => {
        for (const socket of sockets) socket.destroy()
      }, drainMs)
      await closed
      clearTimeout(late)
    },
  }
}

/** An address of version 6 stands in brackets in a URL. */
function hostOf({ url }: Request): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
}

function misdirected(): Response {
  const detail = 'without keys only requests to localhost are answered'
  return Response.json({ type: 'about:blank', status: 421, detail }, { status: 421 })
}

function notReady(): Response {
  return Response.json({ status: 'closing' }, { status: 503 })
}

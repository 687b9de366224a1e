import { close, open } from 'node:fs'
import { chmod, rename, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { basename, dirname } from 'node:path'
import { promisify } from 'node:util'
import type { DiskListener, SocketState } from './disk.ts'

const openAsync = promisify(open)
const closeAsync = promisify(close)
const SOCKET_MODE = 0o600

/** What connect(2) of a Unix domain socket says of whoever listened there: unix(7). */
const STATES: Readonly<Record<string, SocketState>> = {
  ECONNREFUSED: 'refused',
  ENOENT: 'absent',
  ENOTDIR: 'absent',
  // So many have asked a stopped process that its queue is full.
  EAGAIN: 'listening',
}

/**
 * A socket address has room for 107 bytes: the directory goes by a descriptor of it. Without /proc there
 * is no boot id either, and then nobody would ask.
 */
function within(fd: number, name: string): string {
  return `/proc/self/fd/${fd}/${name}`
}

/** {@link Disk.listen} of this machine. */
export async function listenAt(path: string): Promise<DiskListener> {
  if (process.platform !== 'linux') {
    throw Object.assign(new Error('ENOTSUP: sockets need /proc'), { code: 'ENOTSUP' })
  }
  const name = basename(path)
  const temporary = `${name}.tmp`
  const fd = await openAsync(dirname(path), 'r')
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.destroy()
  })
  // Kept alive by what uses the log, not by who asks for it.
  server.unref()
  try {
    await listen(server, within(fd, temporary))
    await chmod(within(fd, temporary), SOCKET_MODE)
    // Named only now: between bind(2) and listen(2) it would refuse as if its process were dead.
    await rename(within(fd, temporary), within(fd, name))
  } catch (error) {
    await stop(server)
    await closeAsync(fd)
    throw error
  }
  const end = async (): Promise<void> => {
    // Before the descriptor: the library removes by path what it has bound.
    await stop(server)
    await closeAsync(fd)
  }
  return {
    close: end,
    async remove() {
      await unlink(within(fd, name)).catch(() => {})
      await end()
    },
  }
}

/** {@link Disk.probe} of this machine. */
export async function probeAt(path: string): Promise<SocketState> {
  if (process.platform !== 'linux') return 'unknown'
  let fd: number
  try {
    fd = await openAsync(dirname(path), 'r')
  } catch (error) {
    return stateOf(error)
  }
  try {
    return await new Promise<SocketState>((resolve) => {
      const socket = connect({ path: within(fd, basename(path)) })
      socket.once('connect', () => {
        socket.destroy()
        resolve('listening')
      })
      socket.on('error', (error) => resolve(stateOf(error)))
    })
  } finally {
    await closeAsync(fd)
  }
}

function stateOf(error: unknown): SocketState {
  return STATES[(error as NodeJS.ErrnoException).code ?? ''] ?? 'unknown'
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // In a cluster the first process would listen otherwise, and go on when this one is dead.
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject)
      // A connection that could not be accepted: whoever asked has had its answer.
      server.on('error', () => {})
      resolve()
    })
  })
}

async function stop(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
}

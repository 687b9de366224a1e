import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listenAt, probeAt } from './node-socket.ts'

/** Longer than a socket address has room for. */
const LONG = 'x'.repeat(200)

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'everthread-socket-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  mkdirSync(join(path, LONG))
  return join(path, LONG)
}

describe.skipIf(process.platform !== 'linux')('a socket', () => {
  test('answers wherever its directory is moved to, and refuses once it is closed', async () => {
    const path = folder()
    const listener = await listenAt(join(path, 'alive'))
    expect(statSync(join(path, 'alive')).mode & 0o777).toBe(0o600)
    const moved = `${path.slice(0, -1)}y`
    renameSync(path, moved)
    expect(await probeAt(join(moved, 'alive'))).toBe('listening')
    expect(await probeAt(join(path, 'alive'))).toBe('absent')
    await listener.close()
    expect(await probeAt(join(moved, 'alive'))).toBe('refused')
    const next = await listenAt(join(moved, 'next'))
    await next.remove()
    expect(await probeAt(join(moved, 'next'))).toBe('absent')
    expect(existsSync(join(moved, 'alive.tmp'))).toBe(false)
  })

  test('is not made where its name is taken', async () => {
    const path = join(folder(), 'alive')
    writeFileSync(`${path}.tmp`, '')
    await expect(listenAt(path)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

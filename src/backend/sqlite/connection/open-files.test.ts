import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { rejects } from '../../../testing/backend/context.ts'
import { SqliteBackend } from '../backend.ts'
import { checkMayOpen, noteOpened } from './open-files.ts'

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-sqlite-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

test('a file that one library has open is refused to another one until it is closed', () => {
  const path = join(temporary(), 'a.db')
  writeFileSync(path, '')
  checkMayOpen('one', path)
  const closed = [noteOpened('one', path), noteOpened('one', path)]
  checkMayOpen('one', path)
  for (const close of closed) {
    expect(() => checkMayOpen('two', path)).toThrow(/is open in this process by one/)
    close()
  }
  checkMayOpen('two', path)
})

test('a store whose file another library has open in this process is refused', async () => {
  const path = join(temporary(), 'a.db')
  writeFileSync(path, '')
  const close = noteOpened('a library of the application', path)
  const backend = new SqliteBackend({ path })
  await rejects(backend.connect(), 'UNSUPPORTED')
  close()
  await backend.connect()
  await backend.disconnect()
})

test('a file may be opened by a symbolic link, and not under a second name', async () => {
  const directory = temporary()
  const path = join(directory, 'a.db')
  const backend = new SqliteBackend({ path })
  await backend.connect()
  symlinkSync(path, join(directory, 'link.db'))
  linkSync(path, join(directory, 'second.db'))
  const linked = new SqliteBackend({ path: join(directory, 'link.db') })
  await linked.connect()
  await linked.disconnect()
  const second = new SqliteBackend({ path: join(directory, 'second.db') })
  await expect(second.connect()).rejects.toThrow(/must have one name/)
  await rejects(second.connect(), 'UNSUPPORTED')
  await backend.disconnect()
})

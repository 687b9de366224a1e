import { linkSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabaseFile } from './database-file.ts'
import { loadSqliteDriver } from './driver.ts'

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-sqlite-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function openAndClose(path: string): Promise<void> {
  openDatabaseFile(await loadSqliteDriver(), path).close()
}

test('a file that is made leaves nothing else in its folder', async () => {
  const directory = temporary()
  await openAndClose(join(directory, 'a.db'))
  expect(readdirSync(directory)).toEqual(['a.db'])
  expect(statSync(join(directory, 'a.db')).mode & 0o777).toBe(0o600)
})

test('a link to a file that is not there yet makes that one, for its owner only', async () => {
  const directory = temporary()
  symlinkSync(join(directory, 'target.db'), join(directory, 'a.db'))
  await openAndClose(join(directory, 'a.db'))
  expect(readdirSync(directory).sort()).toEqual(['a.db', 'target.db'])
  expect(statSync(join(directory, 'target.db')).mode & 0o777).toBe(0o600)
})

test('the second name that a killed maker left is removed, and no other one', async () => {
  const directory = temporary()
  await openAndClose(join(directory, 'a.db'))
  await openAndClose(join(directory, 'a.db.new-theirs'))
  linkSync(join(directory, 'a.db'), join(directory, 'a.db.new-ours'))
  await openAndClose(join(directory, 'a.db'))
  expect(readdirSync(directory).sort()).toEqual(['a.db', 'a.db.new-theirs'])
  expect(statSync(join(directory, 'a.db')).nlink).toBe(1)
})

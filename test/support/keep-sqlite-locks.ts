// Goal: no test, and nothing that it calls, opens and closes a SQLite file beside SQLite: that would drop
// the locks of this process on it, unseen. Method: after every test Linux is asked for the locks on all
// files that are noted as open. Loaded by vitest before each test file.
import { existsSync } from 'node:fs'
import { afterEach, expect } from 'vitest'
import { notedFiles } from '../../src/backend/sqlite/connection/open-files.ts'
import { lockedInodes } from './sqlite-locks.ts'

afterEach(() => {
  if (process.platform !== 'linux') return
  // Without a log nothing was read or written yet, or the file was taken away: there is no lock.
  const files = notedFiles().filter(({ path }) => existsSync(`${path}-wal`))
  if (files.length === 0) return
  const locked = lockedInodes(process.pid)
  const without = files.filter(({ inode }) => !locked.has(inode)).map(({ path }) => path)
  expect(without, 'SQLite files that lost their locks: who opened and closed them?').toEqual([])
})

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeDirectory, makeDirectorySync } from './node-make-directory.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'everthread-make-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

describe.each([
  ['makeDirectory', makeDirectory],
  ['makeDirectorySync', async (path: string, mode: number) => makeDirectorySync(path, mode)],
])('%s', (_name, make) => {
  test('makes what is missing with the mode, and is content with what is there', async () => {
    const path = join(folder(), 'a/b/c')
    await make(path, 0o700)
    await make(path, 0o755)
    for (const each of [path, join(path, '..'), join(path, '../..')]) {
      expect(statSync(each).mode & 0o777).toBe(0o700)
    }
  })

  test('rejects below a file and where a file is', async () => {
    const file = join(folder(), 'file')
    writeFileSync(file, '')
    await expect(make(file, 0o700)).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(make(join(file, 'a/b'), 0o700)).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  test.skipIf(process.platform !== 'linux')('ends where nothing can be made', async () => {
    await expect(make('/proc/none/a/b', 0o700)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

test('the highest directory that was made is told', () => {
  const path = folder()
  expect(makeDirectorySync(join(path, 'a/b'), 0o700)).toBe(join(path, 'a'))
  expect(makeDirectorySync(join(path, 'a/b'), 0o700)).toBeUndefined()
})

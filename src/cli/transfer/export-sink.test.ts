import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileSink } from './export-sink.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'everthread-export-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

test('a file that others left in its place is not written to', async () => {
  const path = join(folder, 'a')
  await writeFile(`${path}.partial`, 'x')
  await chmod(`${path}.partial`, 0o666)
  const sink = await fileSink(path)
  await sink.write('line')
  await sink.finish()
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readFile(path, 'utf8')).toBe('line')
})

test('a link in its place is not followed', async () => {
  const path = join(folder, 'a')
  const other = join(folder, 'other')
  await writeFile(other, 'precious')
  await symlink(other, `${path}.partial`)
  const sink = await fileSink(path)
  await sink.write('line')
  await sink.abandon()
  expect(await readFile(other, 'utf8')).toBe('precious')
  expect(await readdir(folder)).toEqual(['other'])
})

test('of two exports to one file the later one is whole, and the other says so', async () => {
  const path = join(folder, 'a')
  const first = await fileSink(path)
  const second = await fileSink(path)
  await second.write('half')
  await expect(first.finish()).rejects.toThrow('another export')
  await second.write(' and half')
  await second.finish()
  expect(await readFile(path, 'utf8')).toBe('half and half')
})

// Goal: programs in CommonJS use the package, with the types of an old TypeScript, and docs/deploying.md says how.
// Method: small programs are compiled by TypeScript 5.6 in strict mode and run under both lines of Node.
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { NODES } from '../support/application.ts'
import { TSC } from '../support/package-folder.ts'

/** A limit for what never comes: a compiler that shares its machine may be slow. Milliseconds. */
vi.setConfig({ testTimeout: 600_000 })

const { folder: application, nodes } = inject('application')!
const COMPILER = join(application, 'node_modules', 'typescript', 'bin', 'tsc')
/** Beside the application: Next.js would take their sources for its own. */
const folder = join(dirname(application), 'programs')
const STRICT = ['--strict', '--target', 'es2022', '--types', 'node']

const SAVE = `
async function save(history: ChatHistory): Promise<void> {
  const { copies } = await history.saveMessage('conversation', { role: 'user', content: 'Hello' })
  const { messages } = await history.getHistory('conversation')
  await history.close()
  console.log(copies.length, messages[0]?.content)
}
const places = { primary: 'memory:', backup: 'memory:', wal: 'memory:' }
`
const STATIC = `import { openChatHistory, type ChatHistory } from 'everthread'
import { MemcachedCacheBackend } from 'everthread/memcached'
import { PostgresBackend } from 'everthread/postgres'
import { RedisDatabaseBackend } from 'everthread/redis'
import { S3Backend } from 'everthread/s3'
import { SqliteBackend } from 'everthread/sqlite'
${SAVE}
const classes = [MemcachedCacheBackend, PostgresBackend, RedisDatabaseBackend, S3Backend, SqliteBackend]
if (classes.some((each) => typeof each !== 'function')) throw new Error('a class is missing')
void openChatHistory(places).then(save)
`
const DYNAMIC = `import type { ChatHistory } from 'everthread' with { 'resolution-mode': 'import' }
${SAVE}
void import('everthread').then(({ openChatHistory }) => openChatHistory(places)).then(save)
`
const PLAIN = `const { openChatHistory } = require('everthread')
const places = { primary: 'memory:', backup: 'memory:', wal: 'memory:' }
openChatHistory(places).then(async (history) => {
  const { copies } = await history.saveMessage('conversation', { role: 'user', content: 'Hello' })
  const { messages } = await history.getHistory('conversation')
  await history.close()
  console.log(copies.length, messages[0].content)
})
`

beforeAll(() => {
  mkdirSync(folder)
  symlinkSync(join(application, 'node_modules'), join(folder, 'node_modules'))
})

/** What the compiler says; nothing if all is well. */
function compile(file: string, source: string, ...options: readonly string[]): string {
  writeFileSync(join(folder, file), source)
  const args = [COMPILER, ...STRICT, ...options, file]
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).stdout
}

function run(line: string, file: string): { stdout: string; stderr: string } {
  const { stdout, stderr } = spawnSync(nodes[line]!, [file], { cwd: folder, encoding: 'utf8' })
  return { stdout, stderr: stderr.replace(/.*ExperimentalWarning: SQLite.*\n.*\n/, '') }
}

const WORKS = { stdout: '2 Hello\n', stderr: '' }

describe('TypeScript 5.6', () => {
  test.each([
    ['commonjs', STATIC, ['--module', 'commonjs', '--moduleResolution', 'node10']],
    ['dynamic', DYNAMIC, ['--module', 'nodenext', '--skipLibCheck']],
  ])('compiles a program in CommonJS: %s', (name, source, options) => {
    expect(compile(`${name}.ts`, source, ...options)).toBe('')
    for (const line of NODES) expect(run(line, `${name}.js`), line).toEqual(WORKS)
  })

  test('compiles a program that is an ES module', () => {
    expect(compile('module.mts', STATIC, '--module', 'nodenext', '--skipLibCheck')).toBe('')
    for (const line of NODES) expect(run(line, 'module.mjs'), line).toEqual(WORKS)
  })

  test('refuses a static import in CommonJS with nodenext, which later ones compile', () => {
    const options = ['--module', 'nodenext', '--skipLibCheck']
    expect(compile('refused.cts', STATIC, ...options)).toContain('error TS1479')
    const args = [TSC, ...STRICT, ...options, 'refused.cts']
    expect(spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).stdout).toBe('')
    for (const line of NODES) expect(run(line, 'refused.cjs'), line).toEqual(WORKS)
  })
})

test.each(NODES)('a program in JavaScript requires the package under Node %s', (line) => {
  writeFileSync(join(folder, 'plain.cjs'), PLAIN)
  expect(run(line, 'plain.cjs')).toEqual(WORKS)
})

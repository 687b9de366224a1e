// Goal: `everthread serve` needs nothing said, lets nobody in from elsewhere without a key, and loses and doubles
// nothing when it is told to end, or is killed, under load. Method: the compiled command, asked over HTTP.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import OpenAI from 'openai'
import { expect, onTestFinished, test } from 'vitest'
import { cliTests } from './cli-tests.ts'

const cli = cliTests()

interface Served {
  readonly url: string
  readonly child: ChildProcess
}

async function served(...args: readonly string[]): Promise<Served> {
  const child = cli.start(['serve', '--port', '0', ...args])
  onTestFinished(() => void child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /^everthread serves (\S+)$/.exec(line)?.[1]
    if (url !== undefined) return { url, child }
  }
  throw new Error('it does not serve')
}

function clientOf(url: string, apiKey = 'any', maxRetries = 2): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries })
}

async function textsOf(client: OpenAI, id: string): Promise<readonly string[]> {
  const texts: string[] = []
  for await (const item of client.conversations.items.list(id, { order: 'asc', limit: 100 })) {
    texts.push((item as { content: { text: string }[] }).content[0]!.text)
  }
  return texts
}

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'what was acknowledged is there once after %s under load',
  { timeout: 120_000 },
  async (signal) => {
    const first = await served()
    const { id } = await clientOf(first.url).conversations.create({})
    const client = clientOf(first.url, 'any', 0)
    const acknowledged: string[] = []
    let isOver = false
    const writing = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; !isOver; i++) {
        const text = `${writer} ${i}`
        const items = [{ role: 'user' as const, content: text }]
        try {
          await client.conversations.items.create(id, { items })
          acknowledged.push(text)
        } catch {
          if (acknowledged.length > 0 && first.child.killed) return
        }
      }
    })
    await expect.poll(() => acknowledged.length).toBeGreaterThan(60)
    const ended = once(first.child, 'close')
    first.child.kill(signal)
    const [code] = (await ended) as [number | null]
    isOver = true
    await Promise.all(writing)
    if (signal === 'SIGTERM') expect(code).toBe(0)
    const second = await served()
    const texts = await textsOf(clientOf(second.url), id)
    expect(new Set(texts).size).toBe(texts.length)
    expect(acknowledged.filter((text) => !texts.includes(text))).toEqual([])
  },
)

test('keys of a file decide who may do what, and whose conversations it is about', async () => {
  const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex')
  const keys = [
    { sha256: sha256('sk-a'), tenant: 'a' },
    { sha256: sha256('sk-b'), tenant: 'b' },
  ]
  await writeFile(join(cli.cwd, 'keys.json'), JSON.stringify(keys))
  const { url } = await served('--keys', 'keys.json', '--host', '0.0.0.0', '--base-path', '/chat')
  const local = url.replace('0.0.0.0', '127.0.0.1')
  const { id } = await clientOf(local, 'sk-a').conversations.create({})
  const other = clientOf(local, 'sk-b').conversations.retrieve(id)
  await expect(other).rejects.toMatchObject({ status: 404 })
  const nobody = clientOf(local, 'sk-c').conversations.retrieve(id)
  await expect(nobody).rejects.toMatchObject({ status: 401 })
  expect((await fetch(`${local}/readyz`)).status).toBe(200)
})

test('without keys only requests to this machine by its own names are answered', async () => {
  const { url } = await served()
  const { port } = new URL(url)
  const status = async (host: string): Promise<number | undefined> => {
    const request = get({ host: '127.0.0.1', port, path: '/livez', headers: { host } })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    return response.statusCode
  }
  expect(await status(`localhost:${port}`)).toBe(200)
  expect(await status(`pages.example:${port}`)).toBe(421)
})

test('what would let anybody in, or cannot be, is a mistake of usage before a store is opened', async () => {
  await writeFile(join(cli.cwd, 'bad.json'), '{"sk-secret": 1}')
  for (const args of [
    ['--host', '0.0.0.0'],
    ['--keys', 'bad.json'],
    ['--keys', 'missing.json'],
    ['--tls-cert', 'cert.pem'],
    ['--port', '70000'],
  ]) {
    const { code, stderr } = await cli.run(['serve', ...args])
    expect(code, args.join(' ')).toBe(2)
    expect(stderr).not.toContain('sk-secret')
  }
})

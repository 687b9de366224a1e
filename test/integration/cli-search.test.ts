// Goal: the command line finds messages, says how far an index is, and says why where there is none.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cliTests } from './cli-tests.ts'

const cli = cliTests()

const CONVERSATIONS = [
  {
    conversationId: 'c1',
    messages: [
      { role: 'user', content: 'Where is my order \u001b[31m from 京都?' },
      { role: 'assistant', content: 'Your order is late' },
    ],
  },
  { conversationId: 'c2', messages: [{ role: 'user', content: 'No order at all' }] },
]

async function configure(search: boolean): Promise<void> {
  const place = (name: string): string =>
    `{ type: 'sqlite', path: '${name}.db', search: ${search} }`
  await writeFile(
    join(cli.cwd, 'everthread.config.mjs'),
    `export default { primary: ${place('primary')}, backup: ${place('backup')}, wal: 'file:wal' }\n`,
  )
}

test('search finds words, with options for all that the call has, as lines and as JSON', async () => {
  await configure(true)
  await cli.save(CONVERSATIONS)
  const plain = await cli.run(['search', 'order -late'])
  expect(plain.code, plain.stderr).toBe(0)
  expect(plain.stdout).toMatch(/^c2 {2}user.*\n {2}No order at all\nc1 {2}user.*\n/)
  // oxlint-disable-next-line no-control-regex -- that there are none is the point
  expect(plain.stdout).not.toMatch(/\u001b/)
  const [code, page] = await cli.json('search', '"order is"', '--role', 'assistant', '--json')
  expect(code).toBe(0)
  expect(page).toMatchObject({ complete: true, hits: [{ conversationId: 'c1' }] })
  const first = await cli.run(['search', '京都 order', '--conversation', 'c1', '--limit', '1'])
  expect(first.stdout).toContain('京都')
  const nothing = await cli.run(['search', 'absent'])
  expect([nothing.code, nothing.stderr]).toEqual([0, expect.stringMatching(/Nothing was found/)])
  const refused = await cli.run(['search', '...'])
  expect(refused.stderr).toMatch(/text must have a word to look for/)
})

test('an index is made of what was there, and doctor and migrate know of it', async () => {
  await configure(false)
  await cli.save(CONVERSATIONS)
  const without = await cli.run(['search', 'order'])
  expect(without.code).not.toBe(0)
  expect(without.stderr).toMatch(/primary: it is not indexed.*backup: it is not indexed/)
  await configure(true)
  expect((await cli.run(['migrate'])).code).toBe(0)
  const [, report] = await cli.json('doctor', '--json')
  const { findings } = report as { findings: { code: string; level: string }[] }
  expect(findings.filter(({ code }) => code === 'searchable')).toMatchObject([
    { level: 'ok' },
    { level: 'ok' },
  ])
  // Without the option an index that is there is used.
  await configure(false)
  expect((await cli.run(['search', 'late'])).stdout).toContain('Your order is late')
})

// Goal: the command that erases says what it would do, asks, does it, and tells what is pending.
// Method: the compiled package is run as a child, on SQLite and file logs in a folder of each test.
import { expect, test } from 'vitest'
import { filesWith } from '../support/files-with.ts'
import { freePort } from '../support/free-port.ts'
import { cliTests, conversationOf } from './cli-tests.ts'

const cli = cliTests()

async function save(ids: readonly string[], args: readonly string[] = []): Promise<void> {
  await cli.save(
    ids.map((id) => conversationOf(id, 4)),
    args,
  )
}

test('a dry run tells and changes nothing; the erase leaves no byte; the list says that it is complete', async () => {
  await save(['doomed', 'kept'])
  const dry = await cli.run(['erase', 'doomed', '--dry-run', '--json'])
  expect([dry.code, JSON.parse(dry.stdout)]).toEqual([
    0,
    { dryRun: true, conversations: 1, messages: 4 },
  ])
  expect(await filesWith(cli.cwd, 'of doomed')).not.toEqual([])
  expect((await cli.run(['erase', 'doomed'])).code).toBe(2)
  const erased = await cli.run(['erase', 'doomed', '--yes', '--json'])
  expect(erased).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(erased.stdout)).toMatchObject({ complete: true })
  expect(await filesWith(cli.cwd, 'of doomed')).toEqual([])
  expect(await filesWith(cli.cwd, 'of kept')).not.toEqual([])
  const list = await cli.run(['erase', '--list'])
  expect(list.code).toBe(0)
  expect(list.stdout.split('\n')).toHaveLength(4)
})

test('a tenant must be named, and one is erased without the other', async () => {
  for (const tenant of ['a', 'b']) {
    await save(['c1', 'c2'], ['--tenant', tenant])
  }
  expect((await cli.run(['erase', '--yes'], { env: { EVERTHREAD_TENANT: 'a' } })).code).toBe(2)
  const erased = await cli.run(['erase', '--tenant', 'a', '--yes'])
  expect(erased.code).toBe(0)
  expect(erased.stdout).toMatch(/^Erased all conversations of the tenant "a"\.\n/)
  const left = async (tenant: string): Promise<number> => {
    const { stdout } = await cli.run(['list', '--json', '--tenant', tenant])
    return (JSON.parse(stdout) as { conversations: unknown[] }).conversations.length
  }
  expect(await left('a')).toBe(0)
  expect(await left('b')).toBe(2)
})

test('a place that is out is pending, exit 3', async () => {
  await save(['doomed'])
  const backup = `postgresql://127.0.0.1:${await freePort()}/none`
  const result = await cli.run([
    'erase',
    'doomed',
    '--yes',
    '--wait',
    '0.5',
    '--json',
    '--backup',
    backup,
  ])
  expect(result.code).toBe(3)
  expect(JSON.parse(result.stdout)).toMatchObject({
    complete: false,
    places: { primary: { state: 'erased' }, backup: { state: 'pending' } },
  })
})

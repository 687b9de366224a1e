// Goal: a damaged object of a bucket is dealt with as docs/runbooks.md says, and nothing is lost by it.
// Method: its commands are run as they are printed there, on SQLite and our S3 test server.
import { expect, onTestFinished, test } from 'vitest'
import { S3Server } from '../../simulator/s3/s3-server.ts'
import { cliTests, conversationOf } from '../integration/cli-tests.ts'
import { Runbook } from './runbook.ts'

const cli = cliTests()

/** A bucket that the commands of this test have as backup. */
async function startBackup(): Promise<S3Server> {
  const server = new S3Server()
  await server.start()
  onTestFinished(() => server.stop())
  cli.env = {
    EVERTHREAD_BACKUP_URL: `s3://bucket?endpoint=${server.endpoint}`,
    AWS_ACCESS_KEY_ID: server.keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.keys.secretAccessKey,
  }
  return server
}

test('a damaged version of a conversation is begun anew by a pass, and what was set aside sent again', async () => {
  const runbook = await Runbook.open('An object of a bucket is damaged', cli)
  const server = await startBackup()
  await cli.save([conversationOf('a', 5), conversationOf('b', 5)])
  const { objects } = server.store()
  const folder = Buffer.from('chat/0::a').toString('hex')
  const names = (): string[] => [...objects.keys()].filter((name) => name.includes(`/${folder}/`))
  const newest = names()
    .filter((name) => name.includes('/k/'))
    .sort()[0]!
  const { body, ...rest } = objects.get(newest)!
  const damaged = Buffer.from(body)
  damaged[damaged.byteLength >> 1]! ^= 1
  objects.set(newest, { ...rest, body: damaged })
  await cli.save([conversationOf('a', 7), conversationOf('b', 7)])
  const status = await cli.run(['status'])
  expect([status.code, status.stdout]).toEqual([3, expect.stringMatching(/! backup: refuses/)])
  const verified = await cli.run(['verify'])
  expect(verified.code).toBe(3)
  expect(verified.stdout + verified.stderr).toContain(newest.slice(newest.indexOf('/k/')))
  await runbook.step('everthread reconcile')
  await runbook.step('everthread wal dead-letters data/wal --resend')
  expect((await cli.run(['verify', '--deep'])).code).toBe(0)
  expect((await cli.run(['status'])).code).toBe(0)
  const { stdout } = await cli.run(['export', '--from', 'backup'])
  expect(stdout.match(/message \d of a/g)).toHaveLength(7)
})

test('a primary is restored from the bucket', async () => {
  const runbook = await Runbook.open('An object of a bucket is damaged', cli)
  await startBackup()
  await cli.save([conversationOf('a', 50)])
  cli.env = { ...cli.env, EVERTHREAD_PRIMARY_URL: 'sqlite:./new.db' }
  await runbook.step('everthread restore --from backup --to primary')
  const { stdout } = await cli.run(['export', '--from', 'primary'])
  expect(stdout.match(/message \d+ of a/g)).toHaveLength(50)
})

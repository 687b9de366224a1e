import { describe, expect, test } from 'vitest'
import { cliTests } from './cli-tests.ts'

const cli = cliTests()

describe('conversations', () => {
  test('are created, changed, listed and shown', async () => {
    const create = ['conversations', 'create', 'c1', '--title', 'Rome', '--owner', 'ann']
    const [code, made] = await cli.json(...create, '--metadata', 'stars=3', '--metadata', 'topic=x')
    expect([code, made]).toEqual([0, expect.objectContaining({ conversationId: 'c1' })])
    const { stamp } = made as { stamp: string }
    const update = ['conversations', 'update', 'c1', '--title', 'Paris', '--metadata', 'topic=']
    expect(await cli.json(...update, '--if-stamp', stamp)).toMatchObject([0, {}])
    expect(await cli.run([...update, '--if-stamp', stamp])).toMatchObject({ code: 3 })
    const [, shown] = await cli.json('conversations', 'show', 'c1')
    expect(shown).toMatchObject({ title: 'Paris', owner: 'ann', metadata: { stars: 3 } })
    const list = ['conversations', 'list', '--owner', 'ann', '--title-prefix', 'Pa', '--count']
    const [, page] = await cli.json(...list, '--metadata', 'stars=3')
    expect(page).toMatchObject({ conversations: [{ conversationId: 'c1', messageCount: 0 }] })
  })

  test('go through an export and back, and are deleted', async () => {
    await cli.json('conversations', 'create', 'c1', '--title', 'Rome', '--owner', 'ann')
    await cli.json('conversations', 'create', 'c2', '--created-at', '2024-01-01T00:00:00Z')
    const exported = await cli.run(['export'])
    expect(exported.stdout.split('\n')).toHaveLength(3)
    const env = {
      EVERTHREAD_PRIMARY_URL: 'sqlite:p2.db',
      EVERTHREAD_BACKUP_URL: 'sqlite:b2.db',
      EVERTHREAD_WAL: 'file:wal2',
    }
    const imported = await cli.run(['import', '-'], { input: exported.stdout, env })
    expect(imported).toMatchObject({ code: 0 })
    expect((await cli.run(['export'], { env })).stdout).toBe(exported.stdout)
    expect(await cli.run(['conversations', 'delete', 'c1', '--yes'])).toMatchObject({ code: 0 })
    expect(await cli.run(['conversations', 'show', 'c1'])).toMatchObject({ code: 1 })
    const { stdout } = await cli.run(['conversations'])
    expect(stdout).toMatch(/last activity .*conversation .*title .*owner/)
    expect(stdout).not.toContain('c1')
  })
})

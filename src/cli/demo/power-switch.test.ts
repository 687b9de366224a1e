// Goal: every call of a database that was taken away fails as it would without its server.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createDatabase } from '../../backend/registry.ts'
import { WHOLE_RANGE } from '../../backend/buckets.ts'
import { nodeEnv } from '../../core/node-env.ts'
import { PowerSwitch } from './power-switch.ts'

test('what is read row by row fails when it is read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-demo-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'primary.db')
  const create = () => createDatabase({ type: 'sqlite', path }, nodeEnv(), 'primary')
  const power = await PowerSwitch.create({ path, create })
  await power.backend.connect()
  await power.off()
  const { backend } = power
  for (const read of [() => backend.scan(WHOLE_RANGE), () => backend.scanStored!(WHOLE_RANGE)]) {
    const all = async (): Promise<void> => {
      for await (const _ of read()) continue
    }
    await expect(all()).rejects.toMatchObject({ code: 'CONNECTION' })
  }
})

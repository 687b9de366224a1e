/* The hot paths that `bench/profile.ts` looks into, each opened in a process of its own. */
import { FileWal } from '../../src/wal/file/file-wal.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { fillLog, WRITER } from '../support/fill-log.ts'
import type { Subject } from '../support/measure.ts'
import { BODY } from '../support/messages.ts'
import { storeOnPostgres } from '../support/store-on-postgres.ts'
import { everthread, type Target } from './saves.ts'

const LENGTH = 1_000
const ENTRIES = 20_000

/** 64 saves at a time. */
export async function save(target: Target): Promise<Subject> {
  return await everthread({ ...target, write: 'idempotent' })
}

/** The latest 50 of 1,000 messages. */
export async function page({ url, directory }: Target): Promise<Subject> {
  const history = await storeOnPostgres(url, directory, 'page')
  for (let from = 0; from < LENGTH; from += 500) {
    await history.saveMessages(
      'c',
      Array.from({ length: 500 }, () => BODY),
    )
  }
  await history.flush()
  return {
    name: 'page',
    promise: '',
    run: () => history.getHistory('c'),
    close: () => history.close(),
  }
}

/** Opening a log of 20,000 entries that both databases lack. */
export async function recovery({ directory: parent }: Target): Promise<Subject> {
  const directory = `${parent}/recovery`
  await fillLog({ directory }, { entries: ENTRIES, keys: 100 })
  return {
    name: 'recovery',
    promise: '',
    run: async () => {
      const again = new FileWal(nodeEnv(), { directory })
      await again.open(WRITER)
      await again.close()
    },
    close: async () => {},
  }
}

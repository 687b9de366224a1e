/* The hot paths that `bench/profile.ts` looks into, each opened in a process of its own. */
import { FileWal } from '../../src/wal/file/file-wal.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Subject } from '../support/measure.ts'
import { appendMaker, BODY } from '../support/messages.ts'
import { storeOnPostgres } from '../support/store-on-postgres.ts'
import { everthread, type Target } from './saves.ts'

const WRITER = '0000000000000001'
const LENGTH = 1_000
const ENTRIES = 20_000
const IN_FLIGHT = 256

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
  const append = appendMaker()
  const wal = new FileWal(nodeEnv(), { directory })
  await wal.open(WRITER)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < ENTRIES) await wal.append([append(`c${next++ % 100}`)])
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  await wal.close()
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

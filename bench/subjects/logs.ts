/* What `bench/wal.ts` measures, each opened in a process of its own. */
import { join } from 'node:path'
import { nodeEnv } from '../../src/core/node-env.ts'
import { openChatHistory } from '../../src/index.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import * as bare from '../support/bare-log.ts'
import type { Subject } from '../support/measure.ts'
import { ForgetfulBackend } from '../support/forgetful-backend.ts'
import { appendMaker, BODY } from '../support/messages.ts'

const WRITER = '0000000000000001'

export interface Place {
  readonly directory: string
}

export async function bareLog({ directory }: Place): Promise<Subject> {
  return await bare.bareLog(join(directory, 'bare.log'))
}

export async function fileWal({ directory }: Place): Promise<Subject> {
  const append = appendMaker()
  const wal = new FileWal(nodeEnv(), { directory: join(directory, 'wal') })
  await wal.open(WRITER)
  return {
    name: 'everthread file log',
    promise: 'wal',
    run: async (_round, i) => {
      const lsn = await wal.append([append(`c${i % 100}`)])
      wal.acknowledge('primary', [lsn])
      wal.acknowledge('backup', [lsn])
    },
    close: () => wal.close(),
  }
}

/** Both databases answer at once and keep nothing: what is left is the store itself and the log. */
export async function walFirst({ directory }: Place): Promise<Subject> {
  const history = await openChatHistory({
    primary: new ForgetfulBackend(),
    backup: new ForgetfulBackend(),
    wal: `file:${join(directory, 'wal-first')}`,
    write: 'wal-first',
  })
  return {
    name: 'everthread wal-first, databases that answer at once',
    promise: 'wal',
    run: (_round, i) => history.saveMessage(`c${i % 100}`, BODY),
    settle: () => history.flush(),
    close: () => history.close(),
  }
}

/*
 * The thread of a SQLite file: a commit waits for the disk here and not on the event loop of the
 * application. Requests are run one after another, in the order in which they came.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { StorageError } from '../../../core/errors.ts'
import { loadSqliteDriver, type SqliteDriver } from '../connection/driver.ts'
import { SqliteEngine } from '../engine.ts'
import { failureOf, type EngineReply, type EngineRequest } from './engine-messages.ts'
import type { EngineStart } from './engine-messages.ts'

const { options, identity, library } = workerData as EngineStart
const port = parentPort!
let engine: SqliteEngine | undefined

port.on('message', (request: EngineRequest) => {
  void answer(request).then((reply) => {
    port.postMessage(reply)
    if (request.method === 'close') port.close()
  })
})

async function answer(request: EngineRequest): Promise<EngineReply> {
  const { id } = request
  try {
    return { id, result: await run(request) }
  } catch (error) {
    return { id, failure: failureOf(error) }
  }
}

async function run(request: EngineRequest): Promise<unknown> {
  switch (request.method) {
    case 'open':
      engine ??= new SqliteEngine(await sameDriver(), options, identity)
      return engine.settings
    case 'close':
      engine?.close()
      engine = undefined
      return undefined
    default:
      if (engine === undefined) throw new StorageError('CLOSED', 'the SQLite file is not open')
      return engine.call(request.method, ...(request.args as never))
  }
}

/** A package that was installed meanwhile would be found here and not in the thread that started this. */
async function sameDriver(): Promise<SqliteDriver> {
  const driver = await loadSqliteDriver()
  if (driver.library === library) return driver
  const text = `this process has SQLite of ${library} already, its thread found ${driver.library}`
  throw new StorageError('UNSUPPORTED', text)
}

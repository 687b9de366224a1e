/*
 * The thread of a SQLite file: a commit waits for the disk here and not on the event loop of the
 * application. Requests are run one after another, in the order in which they came.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { StorageError } from '../../../core/errors.ts'
import { sameSqliteDriver } from '../connection/driver.ts'
import { SqliteEngine } from '../engine.ts'
import { failureOf, type EngineReply, type EngineRequest } from './engine-messages.ts'
import type { EngineStart } from './engine-messages.ts'
import { passGate } from './exit-gate.ts'

const { options, identity, library, gate } = workerData as EngineStart
const port = parentPort!
let engine: SqliteEngine | undefined

port.on('message', (request: EngineRequest) => {
  const reply = passGate(gate, () => answer(request))
  if (reply === undefined) return
  port.postMessage(reply)
  if (request.method === 'close') port.close()
})

function answer(request: EngineRequest): EngineReply {
  const { id } = request
  try {
    return { id, result: run(request) }
  } catch (error) {
    return { id, failure: failureOf(error) }
  }
}

function run(request: EngineRequest): unknown {
  switch (request.method) {
    case 'open':
      engine ??= new SqliteEngine(sameSqliteDriver(library), options, identity)
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

// All public calls of a class, one after another, in a process in which nothing else keeps it alive:
// `node … SUBJECT`. Each is named once it has settled. The engines wait for timers that do not either, which is the least that an engine may do.
import { MemoryBackend } from '../../src/core.ts'
import { openChatHistory, StorageManager } from '../../src/index.ts'
import { call, CHAT_CALLS, MANAGER_CALLS, STORE_CALLS, type Calls } from './public-calls.ts'

const WAITED_MS = 20

/** A database each of whose calls takes a while. */
function slowBackend(): MemoryBackend {
  return new Proxy(new MemoryBackend(), {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      const method = (member as (...args: unknown[]) => unknown).bind(target)
      // The others answer at once, as they must.
      if (
        !/^(connect|disconnect|apply|lease|trust|readState|list|count|read.*|purge)$/.test(
          String(name),
        )
      )
        return method
      return async (...args: unknown[]) => {
        await new Promise((resolve) => setTimeout(resolve, WAITED_MS).unref())
        return await method(...args)
      }
    },
  })
}

const [subject] = process.argv.slice(2) as ['chat' | 'store' | 'manager']

/** What is called, connected but for the manager, and with which arguments. */
async function open(): Promise<{ readonly object: object; readonly calls: Calls }> {
  if (subject === 'manager') {
    return { object: new StorageManager({ database: slowBackend() }), calls: MANAGER_CALLS }
  }
  const history = await openChatHistory({
    primary: slowBackend(),
    backup: slowBackend(),
    wal: 'memory:',
    retention: { maxMessages: 1 },
  })
  return subject === 'chat'
    ? { object: history, calls: CHAT_CALLS }
    : { object: history.store, calls: STORE_CALLS }
}

const { object, calls } = await open()
for (const [method, args] of Object.entries(calls)) {
  // What the call rejects with is not the question here.
  await call(object, method, args).catch(() => {})
  console.log(method)
}

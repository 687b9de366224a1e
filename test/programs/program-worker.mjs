// One process of a program: opens, uses and closes stores as its parent tells it, one at a time. It is
// killed at any instruction: `program-worker.mjs COMPILED`, with an IPC channel.
const [, , compiled] = process.argv
const { openChatHistory } = await import(`${compiled}/src/chat/open-chat-history.js`)
const { SqliteBackend } = await import(`${compiled}/src/backend/sqlite/backend.js`)
const { faultyBackend } = await import(`${compiled}/src/testing/faulty-backend.js`)
const { contentsOf } = await import(`${compiled}/simulator/contents-of.js`)
const { performCall } = await import(`${compiled}/simulator/programs/perform-call.js`)

/** The monotonic clock of the machine, the same in every process. Milliseconds. */
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

let history
/** A database was not there when the store was opened: it counts as out until it is. */
let apart = false
/** A file has no network to cut: this stands in for it. */
const switches = {}

function place(name, config, mode) {
  if (config.type !== 'sqlite') return config
  switches[name] = faultyBackend(new SqliteBackend(config))
  switches[name].setMode(mode)
  return switches[name]
}

const commands = {
  async open({ options, modes }) {
    for (const name of ['primary', 'backup']) {
      options[name] = place(name, options[name], modes[name])
    }
    history = await openChatHistory(options)
    const { primary, backup } = history.status().places
    apart = !primary.connected || !backup.connected
  },
  async perform({ step }) {
    return { ...(await performCall(history, step, now)), apart }
  },
  async flush({ deadlineMs }) {
    await history.store.flushWAL(deadlineMs)
  },
  reconcile: async () => void (await history.reconcile()),
  async close() {
    const closing = history
    history = undefined
    await closing?.close()
  },
  async mode({ place: name, mode }) {
    switches[name]?.setMode(mode)
  },
  async contents() {
    const of = (name) => contentsOf(history.store.getBackends(name).database)
    return { primary: await of('primary'), backup: await of('backup') }
  },
  async owed() {
    const { wal, places } = history.status()
    const { primary, backup } = places
    return { log: wal.owedGroups, primary: primary.pending, backup: backup.pending }
  },
}

process.on('message', ({ id, command, ...rest }) => {
  const answer = (fields) => process.connected && process.send({ id, ...fields })
  commands[command](rest).then(
    (result) => answer({ result }),
    (error) => answer({ error: `${error?.code ?? error?.stack}: ${error?.message}` }),
  )
})
process.on('disconnect', () => process.exit())
process.on('unhandledRejection', (error) =>
  process.send({ surprise: String(error?.stack ?? error) }),
)
process.send({ isReady: true })

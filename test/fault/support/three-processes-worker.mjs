// One of the processes of three-processes.test.ts: writes, clears and reads, and tells its parent of
// each call before and after it, on lines of its own. It is killed and stopped at any instruction.
import { openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const config = JSON.parse(process.argv[2])
const { entry, options, name, incarnation, log, writers, conversations, clearEvery } = config

// The wall clock of this process is off by this much, and jumps when its parent says so.
let clockMs = config.clockMs
const rightNow = Date.now
Date.now = () => rightNow() + clockMs
globalThis.Date = new Proxy(Date, {
  construct: (target, args, made) =>
    Reflect.construct(target, args.length === 0 ? [target.now()] : args, made),
})

const { openChatHistory } = await import(pathToFileURL(entry).href)
const file = openSync(log, 'a')
// The life before may have been killed in the middle of a line.
writeSync(file, '\n')
// The monotonic clock of the machine, the same in every process: it does not jump.
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000
const tell = (line) => writeSync(file, `${JSON.stringify(line)}\n`)
const say = (line) => process.stdout.write(`${line}\n`)

const OPEN_TRIES_MAX = 10
let calls = 0
let stopped = false

/** Runs one call and tells what became of it. */
async function record(record, run) {
  const call = `${name}.${incarnation}.${calls++}`
  const base = { ...record, process: name, incarnation }
  tell({ call, record: { ...base, startMs: now() } })
  try {
    const found = await run()
    tell({ call, settled: { settledMs: now(), outcome: 'ok', ...found } })
  } catch (error) {
    const outcome = error.effect === 'none' ? 'none' : 'unknown'
    tell({ call, settled: { settledMs: now(), outcome }, error: `${error.code}: ${error.message}` })
    // Errors come at once when a server is away: they are not to fill the history.
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function read(history, client, conversation, final) {
  await record(
    { kind: 'read', client, conversation, final, messages: [], complete: false, paged: false },
    async () => {
      const messages = []
      let complete = true
      let pages = 0
      let after
      do {
        const page = await history.getHistory(conversation, {
          limit: 500,
          order: 'oldest',
          ...(after !== undefined && { after }),
        })
        complete &&= page.complete
        pages++
        messages.push(...page.messages.map(({ id, content }) => ({ id, content })))
        after = page.nextCursor
      } while (after !== undefined)
      return { messages, complete, paged: pages > 1 }
    },
  )
}

async function write(history, client, n) {
  for (let i = 0; !stopped; i++) {
    const conversation = conversations[(i + n) % conversations.length]
    if (n === 0 && i % clearEvery === clearEvery - 1) {
      // Each in its turn, whatever the two numbers have in common.
      const cleared = conversations[Math.floor(i / clearEvery) % conversations.length]
      await record({ kind: 'clear', client, conversation: cleared }, async () => {
        const { copies } = await history.clearHistory(cleared)
        return { copies }
      })
      continue
    }
    const content = `${client} ${i}`
    const id = i % 5 === 4 ? `id-${content}` : undefined
    await record(
      { kind: 'append', client, conversation, content, ...(id && { id, callersId: true }) },
      async () => {
        const receipt = await history.saveMessage(conversation, {
          role: 'user',
          content,
          ...(id && { id }),
        })
        return { id: receipt.id, position: receipt.position, copies: receipt.copies }
      },
    )
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

async function watch(history, client) {
  for (let i = 0; !stopped; i++) {
    await read(history, client, conversations[i % conversations.length], false)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** As whoever supervises a process would: on a busy machine no place may answer in time. */
async function open() {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openChatHistory(options)
    } catch (error) {
      if (error.code !== 'CONNECTION' || attempt === OPEN_TRIES_MAX) throw error
    }
  }
}

const history = await open()
say('ready')
const clients = Array.from({ length: writers }, (_, n) => `${name}.${incarnation}.w${n}`)
const running = Promise.all([
  ...clients.map((client, n) => write(history, client, n)),
  watch(history, `${name}.${incarnation}.r`),
])

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'stop') {
    stopped = true
    await running
    say('stopped')
  } else if (line.startsWith('clock ')) {
    clockMs = Number(line.slice('clock '.length))
    say('clock: set')
  } else if (line === 'drain') {
    await history.flush().then(
      () => say('drain: done'),
      (error) => say(`drain: ${error.message}`),
    )
  } else if (line === 'reconcile') {
    await history.reconcile().then(
      () => say('reconcile: done'),
      (error) => say(`reconcile: ${error.message}`),
    )
  } else if (line === 'read') {
    for (const conversation of conversations) {
      await read(history, `${name}.${incarnation}.final`, conversation, true)
    }
    const { wal, places } = history.status()
    const left = {
      owed: wal.owedGroups,
      primary: places.primary.pending,
      backup: places.backup.pending,
    }
    say(`read ${JSON.stringify(left)}`)
  } else if (line === 'end') {
    await history.close()
    break
  }
}

// A store on two SQLite files that does what the lines of its standard input say, one after the other:
// `node sqlite-store.mjs PACKAGE OPTIONS`. It answers each line with one, in JSON.
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [, , entry, options] = process.argv
const { openChatHistory } = await import(pathToFileURL(entry).href)
const history = await openChatHistory(JSON.parse(options))

const COMMANDS = {
  async save(conversation, from, count) {
    const contents = []
    for (let n = Number(from); n < Number(from) + Number(count); n++) {
      const content = `${conversation} ${n}`
      await history.saveMessage(conversation, { role: 'user', content })
      contents.push(content)
    }
    return contents
  },
  async read(conversation) {
    const { messages } = await history.getHistory(conversation, { limit: 1000 })
    return messages.map(({ content }) => content)
  },
  async flush() {
    await history.flush()
  },
  async close() {
    await history.close()
  },
}

const answer = (value) => process.stdout.write(`${JSON.stringify(value ?? null)}\n`)
answer('open')
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...args] = line.split(' ')
  answer(await COMMANDS[command](...args))
  if (command === 'close') break
}
process.stdin.destroy()

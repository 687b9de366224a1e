// Saves until it is killed: `node store-child.mjs PACKAGE OPTIONS NAME`. One line for each receipt,
// written before the next save of that session begins: what is in its memory dies with it.
import { writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [, , entry, options, name] = process.argv
const { openChatHistory } = await import(pathToFileURL(entry).href)
const history = await openChatHistory(JSON.parse(options))

async function save(conversation, writer) {
  for (let n = 0; ; n++) {
    const content = `${name} ${conversation} ${writer} ${n}`
    const receipt = await history.saveMessage(conversation, { role: 'user', content })
    writeSync(1, `${JSON.stringify({ conversation, receipt, content })}\n`)
  }
}

await Promise.all(['a', 'b'].flatMap((conversation) => [0, 1, 2].map((i) => save(conversation, i))))

/* A process that takes a lease of the store that its argument describes, tells its token, and extends it when told. */
import { openChatHistory } from '../../src/index.ts'

const { options, key, ttlMs } = JSON.parse(process.argv[3]!) as {
  readonly options: Parameters<typeof openChatHistory>[0]
  readonly key: string
  readonly ttlMs: number
}
const history = await openChatHistory(options)
const lease = await history.store.lease(key, ttlMs)
console.log(`token ${lease?.token ?? 'none'}`)
process.stdin.on('data', () => void extend())

/** A process that was stopped finds its connections gone at first. */
async function extend(): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const held = await lease!.extend(ttlMs).catch(() => undefined)
    if (held !== undefined) return console.log(`extended ${held}`)
    await history.store.pause(100)
  }
}

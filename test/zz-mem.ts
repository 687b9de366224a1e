import { randomBytes, createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { openChatHistory } from '../src/index.ts'
const dir = mkdtempSync('/tmp/evt-')
const history = await openChatHistory({ primary: `sqlite:${dir}/p.db`, backup: `sqlite:${dir}/b.db`, wal: `file:${dir}/wal` })
const start = process.memoryUsage().rss; let peak = 0
const timer = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss) }, 20)
const hash = createHash('sha256')
async function* data() { for (let i = 0; i < 256; i++) { const b = randomBytes(1024*1024); hash.update(b); yield b } }
const t = Date.now()
const s = await history.saveContent(data())
const mid = Date.now(); const savePeak = peak; peak = 0
const h2 = createHash('sha256'); for await (const b of (await history.readContent(s.ref)).stream()) h2.update(b)
console.log(s, 'start', start>>20, 'save peak', savePeak>>20, 'read peak', peak>>20, 'ms', mid-t, Date.now()-mid, hash.digest('hex')===h2.digest('hex'))
clearInterval(timer); await history.close(); rmSync(dir,{recursive:true})

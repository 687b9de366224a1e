// Keyv that outlives a database: `npm ci && npm run build`, then `node examples/keyv.mjs`. Everything is kept below ./data.
import Keyv from 'keyv'
import { openChatHistory } from 'everthread'
import { EverthreadKeyv } from 'everthread/keyv'

const history = await openChatHistory({
  primary: process.env['PRIMARY_URL'] ?? 'sqlite:./data/primary.db',
  backup: process.env['BACKUP_URL'] ?? 'sqlite:./data/backup.db',
  wal: process.env['WAL_URL'] ?? 'file:./data/wal',
})

try {
  // With `throwOnErrors` an outage is an error: without it Keyv answers undefined and tells its listeners of `error`.
  const store = new EverthreadKeyv(history.forTenant('user-7'))
  const drafts = new Keyv({ store, namespace: 'drafts', throwOnErrors: true })

  await drafts.set('letter', { text: 'Dear' })
  await drafts.set('code', '4711', 60_000)
  console.log('kept:', await drafts.get('letter'), await drafts.get('code'))
  for await (const [key] of drafts.iterator?.({}) ?? []) console.log('has:', key)

  const others = new EverthreadKeyv(history.forTenant('user-8'))
  const theirs = new Keyv({ store: others, namespace: 'drafts', throwOnErrors: true })
  console.log('of another tenant:', await theirs.get('letter'))

  await drafts.clear()
  console.log('after a clear:', await drafts.get('letter'))
} finally {
  await history.close()
}

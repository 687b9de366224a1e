import { openChatHistory } from 'everthread'

const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })

// A PostgreSQL backend by itself, from its connect to its disconnect, in a process in which nothing else keeps it
// alive: `node … URL`. Each call is named once it has resolved.
import { PostgresBackend } from '../../src/backend/postgres/index.ts'

const backend = new PostgresBackend({ url: process.argv[2]! })
await backend.connect()
console.log('connect')
await backend.set('k', 1)
console.log('set')
await backend.disconnect()
console.log('disconnect')

import { join } from 'node:path'
import pg from 'pg'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'

/** A store with a database of its own on the server, a SQLite backup and a log in the folder. */
export async function storeOnPostgres(
  serverUrl: string,
  directory: string,
  name: string,
  options: ChatHistoryOptions = {},
): Promise<ChatHistory> {
  const database = `bench_${name.replaceAll(/\W/g, '_')}`
  const admin = new pg.Client(serverUrl)
  await admin.connect()
  await admin.query(`CREATE DATABASE ${database}`)
  await admin.end()
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  return await openChatHistory({
    primary: url.href,
    backup: `sqlite:${join(directory, `${name}.db`)}`,
    wal: `file:${join(directory, name)}`,
    ...options,
  })
}

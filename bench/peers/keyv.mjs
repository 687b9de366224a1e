// Keyv: one message a key. It has no lists: the caller must know the keys, which costs nothing here.
import KeyvPostgres from '@keyv/postgres'
import Keyv from 'keyv'

export const title = 'Keyv, one message a key'
export const packages = ['@keyv/postgres', 'keyv']
export const promise = 'primary'
export const reading = '50 keys the caller knows'

export async function open({ url, connections }) {
  const store = new KeyvPostgres({ uri: url, max: connections })
  const keyv = new Keyv({ store, throwOnErrors: true })
  const counts = new Map()
  return {
    save: async (conversation, number, message) => {
      counts.set(conversation, (counts.get(conversation) ?? 0) + 1)
      await keyv.set(`${conversation}:${number}`, message)
    },
    latest: async (conversation, limit) => {
      const count = counts.get(conversation)
      const keys = Array.from({ length: limit }, (_, i) => `${conversation}:${count - limit + i}`)
      const found = await keyv.get(keys)
      return found.filter((message) => message !== undefined).length
    },
    close: () => store.disconnect(),
  }
}

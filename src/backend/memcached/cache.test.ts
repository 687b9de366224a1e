import { expect, test, vi } from 'vitest'
import { MemcachedCacheBackend } from './cache.ts'

vi.mock('memjs', () => ({
  default: undefined,
  Client: {
    create() {
      throw new TypeError('this version of the client cannot be made')
    },
  },
}))

test('a client that cannot be made is unavailable, and leaves nothing to close', async () => {
  const cache = new MemcachedCacheBackend({})
  await expect(cache.connect()).rejects.toMatchObject({
    name: 'StorageError',
    code: 'CONNECTION',
    message: expect.stringContaining('cannot be made') as string,
  })
  await expect(cache.get('k')).rejects.toMatchObject({ name: 'StorageError', code: 'UNAVAILABLE' })
  await cache.disconnect()
})

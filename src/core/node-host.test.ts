import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { dataWarning, type Host } from './node-host.ts'

function host(variables: Host['variables'], ...files: readonly string[]): Host {
  return { variables, exists: (path) => files.includes(path) }
}

test.each([
  ['a file of Docker', host({}, '/.dockerenv')],
  ['a file of Podman', host({}, '/run/.containerenv')],
  ['Kubernetes', host({ KUBERNETES_SERVICE_HOST: '10.0.0.1', NODE_ENV: 'production' })],
])('in a container (%s) the path is told, and that it may not last', (_sign, where) => {
  const told = dataWarning('data', where)
  expect(told).toContain(resolve('data'))
  expect(told).toContain('unless a volume is there')
})

test('in production the path is told, on a machine of a developer it is not', () => {
  expect(dataWarning('data', host({ NODE_ENV: 'production' }))).toContain(resolve('data'))
  expect(dataWarning('data', host({ NODE_ENV: 'development' }))).toBeUndefined()
})

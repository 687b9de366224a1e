import { describe, expect, test } from 'vitest'
import { installedDriver, isNotFound, resolveInstalled } from './import-driver.ts'

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

describe('a driver whose import failed', () => {
  test('is missing: the error says what to install', () => {
    const ofNode = failure('ERR_MODULE_NOT_FOUND', "Cannot find package 'nowhere' imported from a")
    const ofWebpack = failure('MODULE_NOT_FOUND', "Cannot find module 'nowhere'")
    for (const error of [ofNode, ofWebpack]) {
      expect(() => installedDriver('PostgreSQL', 'nowhere', error)).toThrow(
        expect.objectContaining({
          code: 'UNSUPPORTED',
          effect: 'none',
          message: 'PostgreSQL needs the package nowhere: npm install nowhere',
        }),
      )
    }
  })

  test('cannot be loaded: the error says why, on one line, and what a bundle needs', () => {
    const error = new Error('No native build\n    loaded from: here\n')
    expect(() => installedDriver('PostgreSQL', 'nowhere', error)).toThrow(
      'PostgreSQL cannot load the package nowhere: No native build loaded from: here. ' +
        'If this program was bundled, see docs/deploying.md',
    )
  })

  test('is installed beside the bundle: that one is taken', () => {
    const error = new Error('Dynamic require of "events" is not supported')
    expect(installedDriver('PostgreSQL', 'pg', error)).toHaveProperty('Pool')
  })
})

test('what a package of the package lacks is not the package itself', () => {
  const error = failure(
    'MODULE_NOT_FOUND',
    "Cannot find module 'bindings'\nRequire stack:\n- /a/pg.js",
  )
  expect(isNotFound(error, 'pg')).toBe(false)
  expect(isNotFound(error, 'bindings')).toBe(true)
})

test('an installed package is found, another one is not', () => {
  expect(resolveInstalled('pg/package.json')).toMatch(/pg.package\.json$/)
  expect(resolveInstalled('nowhere')).toBeUndefined()
})

import { expect, test } from 'vitest'
import { namedOnce } from './places.ts'

test.each([
  ['refused', 'backup: refused'],
  ['backup: refused', 'backup: refused'],
  ['backup database: refused', 'backup: refused'],
  ['backup database gave no answer', 'backup database gave no answer'],
  ['the backup was replaced', 'the backup was replaced'],
  ['primary: refused', 'backup: primary: refused'],
  ['backups are refused', 'backup: backups are refused'],
])('%s is of the backup: %s', (text, named) => {
  expect(namedOnce('backup', text)).toBe(named)
})

// Goal: the picture of the outage shows what the demo printed. Method: it is drawn from a short output; the one that is kept
// is compared with the script of the demo.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { drawOutage, readDemo } from '../scripts/draw-outage.mjs'
import { SCRIPT } from '../src/cli/demo/script.ts'
import { ROOT } from './support/source-files.ts'

const OUTPUT = `
conversation  message      saved while   its receipt    where it is now
------------  -----------  ------------  -------------  ------------------
a             user: Hello  all was well  primary + wal  primary + backup
b             user: Card   all was well  primary + wal  cleared everywhere
a             user: Still  primary away  backup + wal   primary + backup

counted in     lost  duplicated  reordered  came back after clear
-------------  ----  ----------  ---------  ---------------------
primary alone  0     0           0          1
backup alone   2     0           0          0

end
`

test('a full dot is a copy of the receipt, a ring one that followed, and the counts are added up', () => {
  const svg = drawOutage(readDemo(OUTPUT))
  expect(svg.match(/<circle [^>]*fill="#/g)).toHaveLength(6)
  expect(svg.match(/<circle [^>]*fill="none"/g)).toHaveLength(2)
  expect(svg).toContain(
    '3 messages · lost: 2 · stored twice: 0 · out of order: 0 · back after a clear: 1',
  )
  expect(() => readDemo('all is well')).toThrow('the demo printed other tables')
})

test('the picture that is kept has every message of the demo, and none lost', () => {
  const count = Object.values(SCRIPT).flat().length
  const svg = readFileSync(join(ROOT, 'docs', 'images', 'outage.svg'), 'utf8')
  expect(svg).toContain(
    `${count} messages · lost: 0 · stored twice: 0 · out of order: 0 · back after a clear: 0`,
  )
})

// Goal: docs/importing.md has every form, with what is taken of it, and the limits as they are.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { IMPORT_FORMATS } from '../src/cli/formats/format.ts'
import { CONVERSATION_DEPTH_MAX, CONVERSATION_OBJECTS_MAX } from '../src/cli/formats/parse-line.ts'
import { CONVERSATION_MESSAGES_MAX } from '../src/cli/formats/translate.ts'
import {
  ZIP_DIRECTORY_BYTES_MAX,
  ZIP_ENTRIES_MAX,
  ZIP_NAME_BYTES_MAX,
} from '../src/cli/input/zip-directory.ts'
import {
  ZIP_FILE_BYTES_MAX,
  ZIP_RATIO_FROM_BYTES,
  ZIP_RATIO_MAX,
} from '../src/cli/input/zip-lines.ts'
import { LINE_BYTES_MAX } from '../src/cli/jsonl/read-lines.ts'
import { MIB, VALUE_BYTES_MAX, VALUE_DEPTH_MAX } from '../src/core/limits.ts'
import { ROOT } from './support/source-files.ts'

const TEXT = readFileSync(join(ROOT, 'docs/importing.md'), 'utf8')

function rowsOf(section: string): string[][] {
  const text = TEXT.slice(TEXT.indexOf(`## ${section}\n`) + 3).split(/^## /m, 1)[0]!
  const rows = text.match(/^\|.*\|$/gm) ?? []
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

test('each form has its line in both tables', () => {
  const names = IMPORT_FORMATS.map((name) => `\`${name}\``)
  expect(rowsOf('What is recognised').map(([name]) => name)).toEqual(names)
  const taken = rowsOf('What is taken, and what is left out').map(([name]) => name)
  // Of our own form everything is taken.
  expect(taken).toEqual(names.slice(1))
})

test('the limits are those of the code', () => {
  const number = (value: number): string => value.toLocaleString('en')
  const mib = (bytes: number): string => `${bytes / MIB} MiB`
  expect(rowsOf('Limits').map(([, limit]) => limit!.split(';', 1)[0])).toEqual([
    mib(LINE_BYTES_MAX),
    number(CONVERSATION_DEPTH_MAX),
    `${number(CONVERSATION_OBJECTS_MAX)}, ${number(CONVERSATION_MESSAGES_MAX)}`,
    `${VALUE_DEPTH_MAX}, ${mib(VALUE_BYTES_MAX)}: the limits of the store`,
    `${number(ZIP_ENTRIES_MAX)}, ${mib(ZIP_DIRECTORY_BYTES_MAX)}`,
    `${ZIP_FILE_BYTES_MAX / MIB / 1024} GiB, and the size that the zip says`,
    `${ZIP_RATIO_MAX}, from ${mib(ZIP_RATIO_FROM_BYTES)} on`,
    `${number(ZIP_NAME_BYTES_MAX)} bytes`,
    'refused',
  ])
})

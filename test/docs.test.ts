// Goal: the documents say what the code does. Method: tables are compared with the types they
// describe, links are followed, and the example is compiled and run. Snippets: test/snippets.test.ts.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DOCUMENTED, limitsOf, showsDefault } from './support/option-docs.ts'
import { makePackageFolder, tsc } from './support/package-folder.ts'
import { ROOT, sourceFiles } from './support/source-files.ts'

/** What applications use (50), and the described layer (26). Parts for authors belong to `everthread/core`. */
const ROOT_NAMES_MAX = 76

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** The text from one place to the next heading of any level. */
function section(text: string, start: string): string {
  const at = text.indexOf(start)
  if (at === -1) throw new Error(`there is no ${JSON.stringify(start)}`)
  return text.slice(at + start.length).split(/^#/m, 1)[0]!
}

/** The names in backticks in the first column of the tables with this header, sorted. */
function firstColumn(text: string, header = 'option'): string[] {
  const tables = text.match(/(?:^\|.*\n)+/gm) ?? []
  return tables
    .map((table) => table.split('\n').map((line) => line.split('|')[1]?.trim() ?? ''))
    .filter(([first]) => first === header)
    .flatMap(([, , ...cells]) => cells)
    .flatMap((cell) => [...cell.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!))
    .sort()
}

/** The rows of the tables with this header, by the names of their columns; the first one has none. */
function rowsOf(text: string, header: string): Readonly<Record<string, string>>[] {
  const tables = text.match(/(?:^\|.*\n)+/gm) ?? []
  return tables
    .map((table) =>
      table
        .trimEnd()
        .split('\n')
        .map((line) =>
          line
            .split('|')
            .slice(1, -1)
            .map((cell) => cell.trim()),
        ),
    )
    .filter(([names]) => names![0] === header)
    .flatMap(([names, , ...rows]) =>
      rows.map((row) =>
        Object.fromEntries(row.map((cell, i) => [i === 0 ? '' : names![i]!, cell])),
      ),
    )
}

/** The fields that an interface of a file declares, without those it inherits. */
function fields(path: string, name: string): string[] {
  const body = new RegExp(`^export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm')
  const match = body.exec(read(path))
  if (match === null) throw new Error(`${path} has no interface ${name}`)
  return [...match[1]!.matchAll(/^ {2}(?:readonly )?'?([\w-]+)'?\??:/gm)].map(([, field]) => field!)
}

/** The anchors of the headings, as GitHub makes them; a second one of a name ends in `-1`. */
function anchorsOf(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>()
  const anchors = [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => {
    const slug = heading!
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    return times === 0 ? slug : `${slug}-${times}`
  })
  return new Set(anchors)
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '')
}

/** The names that an entry exports. */
function exportsOf(path: string): string[] {
  return [...read(path).matchAll(/\{([^}]*)\} from/g)].flatMap(([, list]) =>
    list!
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter((name) => name !== ''),
  )
}

describe('the documents of the package', () => {
  const npm = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const { stdout } = spawnSync('npm', npm, { cwd: ROOT, encoding: 'utf8' })
  const [packed] = JSON.parse(stdout) as [{ readonly files: readonly { readonly path: string }[] }]
  const files = packed.files.map(({ path }) => path)
  const documents = files.filter((file) => file.endsWith('.md'))

  test('link to what is in the package', () => {
    const links = documents.flatMap((file) =>
      [...read(file).matchAll(/\]\(([^)#\s]+)/g)]
        .filter(([, link]) => !/^[a-z]+:/.test(link!))
        .map(([, link]) => ({ file, target: posix.join(posix.dirname(file), link!) })),
    )
    expect(links).toContainEqual({ file: 'README.md', target: 'SECURITY.md' })
    const missing = links.filter(
      ({ target }) => !files.some((file) => `${file}/`.startsWith(`${target.replace(/\/$/, '')}/`)),
    )
    expect(missing).toEqual([])
  })

  test('link to headings that are there', () => {
    const missing = documents.flatMap((file) =>
      [...read(file).matchAll(/\]\(([^)#\s]*)#([^)\s]+)\)/g)]
        .filter(([, target]) => !/^[a-z]+:/.test(target!))
        .map(([link, target, anchor]) => {
          const path = target === '' ? file : posix.join(posix.dirname(file), target!)
          return { file, link, there: path.endsWith('.md') && anchorsOf(read(path)).has(anchor!) }
        })
        .filter(({ there }) => !there),
    )
    expect(missing).toEqual([])
  })

  test('name files of the repository that are there', () => {
    const current = documents.filter((file) => file !== 'CHANGELOG.md')
    const named = current.flatMap((file) =>
      [...read(file).matchAll(/`((?:src|test|bench|scripts|api)\/[\w./-]+\.\w+)`/g)].map(
        ([, path]) => path!,
      ),
    )
    expect(named).toContain('test/store/damaged-rows.test.ts')
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })
})

test('the table of errors has each code of the union once', () => {
  const union = /export type StorageErrorCode =([\s\S]*?)\n\n/.exec(read('src/core/errors.ts'))![1]!
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code!).sort()
  expect(firstColumn(section(read('docs/errors.md'), '## Codes\n'), 'code')).toEqual(codes)
})

test('each rule of the history checker is named behind a promise, and explained by the checker', () => {
  const rules = read('src/testing/history-checker/history.ts')
  const union = /export type ViolationKind =([\s\S]*?)\n\n/.exec(rules)![1]!
  const names = [...union.matchAll(/'([a-z-]+)'/g)].map(([, name]) => name!).sort()
  const promised = read('docs/guarantees.md').matchAll(/`\[rule: ([a-z-]+)\]`/g)
  expect([...new Set([...promised].map(([, name]) => name!))].sort()).toEqual(names)
  const explained = read('src/testing/history-checker/check-history.ts')
  for (const name of names) expect(explained).toMatch(new RegExp(`^ \\*   ${name} `, 'm'))
})

describe('configuration.md has every option, runbooks.md every field and event', () => {
  const documents = `${read('docs/configuration.md')}\n${read('docs/runbooks.md')}`
  const CHAT = fields('src/chat/open-chat-history.ts', 'ChatHistoryOptions')

  test.each([
    ['## `openChatHistory`\n', 'option', CHAT],
    [
      '## `StrategicStorageManager`\n',
      'option',
      fields('src/store/config.ts', 'StrategicStorageConfig').filter(
        (name) => !CHAT.includes(name),
      ),
    ],
    ['## Write strategies\n', 'option', fields('src/strategy/write/write-port.ts', 'WriteConfig')],
    ['## Write strategies\n', '`hedge`', fields('src/strategy/write/write-port.ts', 'HedgeConfig')],
    [
      '## Read strategies\n',
      'option',
      [
        ...fields('src/strategy/read/read-port.ts', 'ReadConfig'),
        ...fields('src/strategy/read/cache-enhanced.ts', 'CacheEnhancedReadConfig'),
      ],
    ],
    [
      '## Health managers\n',
      'option',
      [
        ...fields('src/health/health-base.ts', 'HealthBaseConfig'),
        ...fields('src/health/circuit-breaker.ts', 'CircuitBreakerConfig'),
      ],
    ],
    [
      '## Logs\n',
      'option',
      [
        ...fields('src/wal/manager-options.ts', 'WALManagerOptions'),
        ...fields('src/wal/file-wal-manager.ts', 'FileWALConfig'),
        ...fields('src/wal/in-memory-wal-manager.ts', 'InMemoryWALConfig'),
      ],
    ],
    [
      '## The shared log\n',
      'option',
      fields('src/wal/redis-stream/options.ts', 'RedisStreamOptions'),
    ],
    ['## SQLite\n', 'option', fields('src/backend/sqlite/connection/options.ts', 'SqliteOptions')],
    [
      '## Redis\n',
      'option',
      [
        ...fields('src/backend/redis/connection/options.ts', 'RedisConnectionOptions'),
        ...fields('src/backend/redis/connection/options.ts', 'RedisOptions'),
      ],
    ],
    ['## S3\n', 'option', fields('src/backend/s3/protocol/options.ts', 'S3Options')],
    ['## Memcached\n', 'option', fields('src/backend/memcached/options.ts', 'MemcachedOptions')],
    [
      '## Memory\n',
      'option',
      fields('src/backend/backend-config.ts', 'InMemoryCacheConfig').filter(
        (name) => name !== 'type',
      ),
    ],
    [
      '## PostgreSQL\n',
      '`pool`',
      fields('src/backend/postgres/connection/pool-options.ts', 'PostgresPoolConfig'),
    ],
    [
      '## PostgreSQL\n',
      'option',
      fields('src/backend/postgres/connection/options.ts', 'PostgresOptions'),
    ],
    [
      '## `StorageManager`\n',
      'option',
      fields('src/manager/storage-manager.ts', 'StorageManagerConfig'),
    ],
    ['## What to watch\n', 'field', fields('src/store/status.ts', 'StoreStatus')],
    ['## What to watch\n', '`wal`', fields('src/store/status.ts', 'WalStatus')],
    [
      '## What to watch\n',
      '`places.primary`, `places.backup`',
      fields('src/store/status.ts', 'PlaceStatus'),
    ],
    ['## What to watch\n', 'event', fields('src/store/store-events.ts', 'StoreEvents')],
  ])('under %j in the table of each %s', (start, header, names) => {
    expect(firstColumn(section(documents, start), header)).toEqual([...names].sort())
  })
})

test.each(DOCUMENTED)('under %j the %s has the limits and defaults of the code', (...of) => {
  const [start, header, table] = of
  const wrong = rowsOf(section(read('docs/configuration.md'), start), header).flatMap((row) =>
    [...row['']!.matchAll(/`(\w+)`/g)].flatMap(([, name]) => {
      const option = table[name!]
      if (option === undefined) return []
      const hasDefault =
        option.default === undefined || showsDefault(row['default']!, option.default)
      const hasLimits = (row['limits'] ?? '') === limitsOf(option)
      return hasDefault && hasLimits ? [] : [{ name, row, takes: option.takes }]
    }),
  )
  expect(wrong).toEqual([])
})

test('troubleshooting.md quotes messages that the code has', () => {
  const tables = read('docs/troubleshooting.md').split('## Not an error')[0]!
  const messages = rowsOf(tables, 'message').map((row) => /^`(.+)`$/.exec(row['']!)![1]!)
  const code = sourceFiles(['src'], ['.ts'])
    .filter(({ path }) => !path.endsWith('.test.ts'))
    .map(({ text }) => text)
    .join('\n')
  const missing = messages.filter((message) =>
    message.split('…').some((part) => !code.includes(part.trim())),
  )
  expect(messages.length).toBeGreaterThan(25)
  expect(missing).toEqual([])
})

test('figures of README and comparison are those of performance.md', () => {
  const measured = section(read('docs/performance.md'), '### Beside other libraries\n')
  const figures = (text: string): string[] =>
    [...text.matchAll(/(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?!\w)/g)].map(([figure]) => figure)
  const known = new Set(figures(measured))
  const readme = section(read('README.md'), '## Beside others\n')
    .split('\n')
    .filter((line) => /^\| (?:saves a second|latest 50)/.test(line))
    .flatMap((line) => figures(line.split('|').slice(2).join('|')))
  const comparison = rowsOf(read('docs/comparison.md'), 'library').flatMap((row) =>
    figures(row['figures at 64 saves at a time']!),
  )
  /** Such as 1.33 ms; no part of a version. */
  const times = ['README.md', 'docs/comparison.md', 'docs/faq.md'].flatMap((path) =>
    [...read(path).matchAll(/(?<![\d.])\d\.\d\d(?![\d.])/g)].map(([figure]) => figure),
  )
  expect(readme).toHaveLength(12)
  expect(times.length).toBeGreaterThan(8)
  const claimed = [...readme, ...comparison, ...times]
  expect(claimed.filter((figure) => !known.has(figure))).toEqual([])
})

describe('api.md names everything that the package exports, at its entry', () => {
  const [applications, authors] = read('docs/api.md').split('## `everthread/core`\n') as [
    string,
    string,
  ]
  const isIn = (text: string) => (name: string) => new RegExp(`\\b${name}\\b`).test(text)
  const root = exportsOf('src/index.ts')
  const core = exportsOf('src/core.ts')

  test('everthread', () => {
    expect(root).toContain('openChatHistory')
    expect(root.filter((name) => !isIn(applications)(name))).toEqual([])
  })

  test('everthread/core', () => {
    const named = section(authors, '').split('`')
    expect(core).toContain('ReplicaBackend')
    expect(core.filter((name) => !named.includes(name))).toEqual([])
    // `HealthManager` stands there in prose.
    expect(root.filter((name) => named.includes(name))).toEqual(['HealthManager'])
  })

  test('everthread has what applications use, and not more', () => {
    expect(root.length).toBeLessThanOrEqual(ROOT_NAMES_MAX)
  })

  test('each name has one entry', () => {
    expect(core.filter((name) => root.includes(name))).toEqual([])
  })
})

test('the README stays short', () => {
  expect(read('README.md').split('\n').length - 1).toBeLessThanOrEqual(125)
})

describe('the examples', () => {
  let folder: string

  beforeAll(() => {
    folder = makePackageFolder()
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('compile', () => {
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        allowJs: true,
        checkJs: true,
        isolatedDeclarations: false,
        declaration: false,
      },
      include: ['examples'],
      // Those of frameworks that are no dependencies run beside their packages.
      exclude: readdirSync(join(ROOT, 'test/adapters')).map((name) => `examples/${name}.mjs`),
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    expect(tsc('-p', folder)).toBe('')
  })

  test('run: chat.mjs saves, and goes on where it was', () => {
    const [first, second] = [1, 2].map(() => {
      const program = join(folder, 'examples', 'chat.mjs')
      const options = { cwd: folder, encoding: 'utf8', timeout: 30_000 } as const
      const { status, stdout, stderr } = spawnSync(process.execPath, [program], options)
      return { status, stderr: stderr.replace(/.*ExperimentalWarning.*\n.*\n/, ''), stdout }
    })
    expect([first!.status, first!.stderr]).toEqual([0, ''])
    expect(first!.stdout).toMatch(/ and (?:backup|wal) have it/)
    expect(first!.stdout).toContain('the store is ok')
    expect(first!.stdout.match(/I am\./g)).toHaveLength(1)
    expect(second!.stdout.match(/I am\./g)).toHaveLength(2)
  })
})

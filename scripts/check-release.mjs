/*
 * `npm run --silent release:check -- v1.2.3`: whether what stands here may be released under this tag. It
 * prints the notes of the release, which are the section of the changelog, or what is wrong, and fails then.
 */
import { readFileSync } from 'node:fs'

const VERSION = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/
/** As written for whoever publishes the package to fill in: `npm run repository`. */
const PLACEHOLDER = 'https://github.com/OWNER/'

const tag = process.argv[2] ?? ''
const { version, repository } = JSON.parse(readFileSync('package.json', 'utf8'))
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
const { heading, notes } = sectionOf(readFileSync('CHANGELOG.md', 'utf8'), version)

const problems = [
  [VERSION.test(version), `package.json: version ${version} is none of semantic versioning`],
  [
    tag === `v${version}`,
    `the tag must be v${version}, as package.json says, got ${tag || 'none'}`,
  ],
  [lock.version === version, `package-lock.json has version ${lock.version}: npm install`],
  [lock.packages[''].version === version, `package-lock.json has another version of the root`],
  [heading !== undefined, `CHANGELOG.md has no section ${version}`],
  [
    heading === undefined || /^\d{4}-\d{2}-\d{2}$/.test(heading),
    `CHANGELOG.md: ${version} must have its date, (YYYY-MM-DD), got (${heading})`,
  ],
  [heading === undefined || notes !== '', `CHANGELOG.md: the section ${version} is empty`],
  [
    !repository.url.includes(PLACEHOLDER),
    'package.json: repository.url is a placeholder: npm run repository -- ADDRESS',
  ],
].flatMap(([holds, problem]) => (holds ? [] : [problem]))

if (problems.length === 0) console.log(notes)
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1

/** What stands in brackets behind the version, and the text up to the next version. */
function sectionOf(changelog, wanted) {
  const [, ...sections] = changelog.split(/^## /m)
  for (const section of sections) {
    const [, name, heading] = /^(\S+)(?: \(([^)]*)\))?/.exec(section)
    if (name === wanted) {
      return { heading: heading ?? 'nothing', notes: section.slice(section.indexOf('\n')).trim() }
    }
  }
  return { heading: undefined, notes: '' }
}

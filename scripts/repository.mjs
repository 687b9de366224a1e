/*
 * `npm run repository -- https://github.com/NAME/REPOSITORY`: writes the address of the repository to
 * package.json. `repository.url` is the one place that has it; `homepage` and `bugs` are made of it.
 * Without an address it says where they differ, and fails then.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const FILE = 'package.json'
const ADDRESS = /^https:\/\/github\.com\/[\w.-]+\/[\w-][\w.-]*$/

const text = readFileSync(FILE, 'utf8')
const manifest = JSON.parse(text)
const given = process.argv[2]
if (given !== undefined && !ADDRESS.test(given)) {
  fail(`the address must be https://github.com/NAME/REPOSITORY, got ${given}`)
} else {
  const address = given ?? manifest.repository.url.replace(/^git\+(.*)\.git$/, '$1')
  const fields = {
    repository: { type: 'git', url: `git+${address}.git` },
    homepage: `${address}#readme`,
    bugs: `${address}/issues`,
  }
  if (given !== undefined) {
    writeFileSync(FILE, `${JSON.stringify({ ...manifest, ...fields }, undefined, 2)}\n`)
  }
  for (const [name, expected] of Object.entries(fields)) {
    const stands = JSON.stringify(given === undefined ? manifest[name] : expected)
    if (stands === JSON.stringify(expected)) continue
    fail(`${name} is ${stands}, and with repository.url it is ${JSON.stringify(expected)}`)
  }
}

function fail(message) {
  console.error(`${FILE}: ${message}`)
  process.exitCode = 1
}

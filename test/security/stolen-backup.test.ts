// Goal: whoever has stolen an encrypted backup, or the log, and has a list of what a message might say, learns
// nothing from it: no number or text that is stored can be made of a guess without a key.
// Method: short messages are saved. The thief has every byte, and knows key, id and stamps of each of them. Of
// each of 10,000 guesses he makes the digests of this and the earlier release and the usual hashes, and
// looks for them in the bytes, as numbers, as hexadecimal and as binary. Keys and stamps are fixed.
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { EncryptedBackend } from '../../src/backend/encrypted/encrypted-backend.ts'
import { plainAdapter } from '../../src/backend/plain-adapter.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { digestOf, placedDigest, valueDigest } from '../../src/core/digest.ts'
import { ValueCipher } from '../../src/core/encryption/value-cipher.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { JsonText } from '../../src/core/json.ts'
import type { AppendOperation, EditOperation, SetOperation } from '../../src/core/operation.ts'
import { append, edit, json, set, stampAt } from '../../src/testing/backend/operations.ts'
import { MapBackend } from '../../src/testing/map-backend.ts'
import { EncryptedWal } from '../../src/wal/encrypted-wal.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import { replicaEngines } from '../support/replica-engines.ts'

type Said = AppendOperation | EditOperation | SetOperation

const FIRST = ['yes', 'no', 'ok', 'maybe', 'never', 'always', 'I agree', 'stop', 'help', 'why']
const GUESSES: readonly JsonText[] = Array.from({ length: 10_000 }, (_, i) =>
  json(`${FIRST[i % 10]!} ${Math.floor(i / 10)}`),
)
const SAID: readonly Said[] = [
  append('c', stampAt(1_000), JSON.parse(GUESSES[0]!)),
  append('c', stampAt(2_000), JSON.parse(GUESSES[4_321]!), 'caller'),
  edit('c', 'caller', stampAt(2_000), stampAt(3_000), JSON.parse(GUESSES[7_654]!)),
  edit('c', 'unseen', stampAt(4_000), stampAt(5_000), JSON.parse(GUESSES[2_500]!)),
  set('settings', stampAt(6_000), JSON.parse(GUESSES[9_999]!)),
]

function cipher(): ValueCipher {
  return new ValueCipher({ keys: [{ id: 'k1', secret: Buffer.alloc(32, 7) }] })
}

/** What can be made of a guess, as 12 hexadecimal digits. */
function fingerprints(guess: Said): readonly string[] {
  const plain = valueDigest(guess)
  const numbers = [digestOf(guess), plain]
  if (guess.kind === 'put') numbers.push(placedDigest(plain, guess.position))
  const hashes = ['sha1', 'sha256', 'md5'].map((name) =>
    createHash(name).update(guess.value).digest('hex').slice(0, 12),
  )
  return [...numbers.map(hexOf), ...hashes]
}

function hexOf(number: number): string {
  return number.toString(16).padStart(12, '0')
}

/** Every six bytes, twelve hexadecimal digits and decimal number of what was stolen. */
function pieces(stolen: Buffer): ReadonlySet<string> {
  const found = new Set<string>()
  const binary = stolen.toString('hex')
  for (let at = 0; at + 12 <= binary.length; at += 2) found.add(binary.slice(at, at + 12))
  const text = stolen.toString('latin1')
  for (const [run] of text.matchAll(/[0-9a-f]{12,}/g)) {
    for (let at = 0; at + 12 <= run.length; at++) found.add(run.slice(at, at + 12))
  }
  for (const [run] of text.matchAll(/\d{1,15}/g)) found.add(hexOf(Number(run)))
  return found
}

/** What can be made of each guess at each message, once for all thieves. */
const TRIALS: ReadonlyMap<Said, readonly (readonly string[])[]> = new Map(
  SAID.map((said) => [said, GUESSES.map((value) => fingerprints({ ...said, value }))]),
)

/** The guesses that what was stolen confirms. */
function confirmed(said: Said, known: ReadonlySet<string>): readonly JsonText[] {
  const trials = TRIALS.get(said)!
  return GUESSES.filter((_, i) => trials[i]!.some((print) => known.has(print)))
}

function expectNothingLearned(stolen: Buffer): void {
  const known = pieces(stolen)
  for (const said of SAID) {
    expect(stolen.includes(said.value)).toBe(false)
    expect(confirmed(said, known)).not.toContain(said.value)
  }
}

test('the thief reads a backup that is not encrypted', async () => {
  const documents = new Map<string, string>()
  const backend = plainAdapter(new MapBackend(documents))
  await backend.connect()
  await backend.apply(SAID)
  expect(dumpOf(documents).includes(JSON.stringify(SAID[0]!.value))).toBe(true)
  const digests = SAID.map((operation) => `${digestOf(operation)}\n`)
  const known = pieces(Buffer.from(digests.join('')))
  expect(SAID.map((said) => confirmed(said, known))).toEqual(SAID.map(({ value }) => [value]))
})

test('documents of a plain backend tell nothing', async () => {
  const documents = new Map<string, string>()
  const backend = new EncryptedBackend(new MapBackend(documents), cipher(), nodeEnv())
  await backend.connect()
  await backend.apply(SAID)
  await backend.disconnect()
  expectNothingLearned(dumpOf(documents))
})

function dumpOf(documents: ReadonlyMap<string, string>): Buffer {
  return Buffer.from([...documents].flat().join('\n'))
}

test('a log in files tells nothing', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-stolen-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const wal = new EncryptedWal(new FileWal(nodeEnv(), { directory }), cipher())
  await wal.open('8000-000000000001')
  await wal.append(SAID)
  await wal.close()
  const found = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = found.filter((entry) => entry.isFile())
  const bodies = files.map(async ({ parentPath, name }) => await readFile(join(parentPath, name)))
  const stolen = Buffer.concat(await Promise.all(bodies))
  expect(stolen.includes('et2.')).toBe(true)
  expectNothingLearned(stolen)
})

const engines = replicaEngines(inject('postgresUrl'))

describe.each(engines.filter(({ dump }) => dump !== undefined))('$name', ({ open, dump }) => {
  test('a stolen backup tells nothing', async () => {
    const inner = await open()
    await fill(inner)
    for await (const { operation, digest } of inner.scanStored!(WHOLE_RANGE)) {
      expect(digest).toBe(digestOf(operation))
      // By the part of the digest that has to do with the value there are wrong guesses only.
      const said = SAID.find(({ stamp }) => stamp === operation.stamp)!
      const matching = GUESSES.filter((value) => digestOf({ ...said, value }) === digest)
      expect(matching).not.toContain(said.value)
    }
    await inner.disconnect()
    const stolen = await dump!(inner)
    expect(stolen.includes('et2.')).toBe(true)
    expectNothingLearned(stolen)
  })
})

async function fill(inner: ReplicaBackend): Promise<void> {
  const backend = new EncryptedBackend(inner, cipher(), nodeEnv())
  await backend.connect()
  for (const operation of SAID) await backend.apply([operation])
  for await (const { operation, digest } of backend.scanStored(WHOLE_RANGE)) {
    expect(digest).toBe(digestOf(operation))
    expect(SAID).toContainEqual(operation)
  }
}

import { expect, test } from 'vitest'
import { bigintArray, textArray, uuidArray } from './binary-array.ts'

/** Type of the elements and the bytes of each, read as `array_recv` reads them. */
function read(array: Buffer): { readonly oid: number; readonly elements: readonly Buffer[] } {
  expect(array.readInt32BE(0), 'dimensions').toBe(1)
  expect(array.readInt32BE(4), 'NULLs').toBe(0)
  expect(array.readInt32BE(16), 'lower bound').toBe(1)
  const elements: Buffer[] = []
  let at = 20
  for (let left = array.readInt32BE(12); left > 0; left--) {
    const end = at + 4 + array.readInt32BE(at)
    elements.push(array.subarray(at + 4, end))
    at = end
  }
  expect(at, 'nothing behind the last element').toBe(array.byteLength)
  return { oid: array.readInt32BE(8), elements }
}

test('texts are UTF-8, whatever they contain', () => {
  const texts = ['', 'a', '{"quoted":"\\"{}"}', 'ü€😀', 'NULL']
  const { oid, elements } = read(textArray(texts))
  expect(oid).toBe(25)
  expect(elements.map((bytes) => bytes.toString('utf8'))).toEqual(texts)
})

test('uuids are their sixteen bytes', () => {
  const uuids = ['01890a5d-ac96-774b-bcce-b302099a8057', 'ffffffff-ffff-ffff-ffff-ffffffffffff']
  const { oid, elements } = read(uuidArray(uuids))
  expect(oid).toBe(2950)
  expect(elements.map((bytes) => bytes.toString('hex'))).toEqual(
    uuids.map((uuid) => uuid.replaceAll('-', '')),
  )
})

test('integers keep all of their 53 bits', () => {
  const values = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1, Number.MAX_SAFE_INTEGER]
  const { oid, elements } = read(bigintArray(values))
  expect(oid).toBe(20)
  expect(elements.map((bytes) => bytes.readBigInt64BE())).toEqual(values.map(BigInt))
})

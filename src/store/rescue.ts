/*
 * A value that cannot be decoded is damage of one place. The other database, read by itself, may have it
 * intact: that one is shown, and written over the damaged one.
 */
import { isStorageError, messageOf } from '../core/errors.ts'
import { decodeJson, isJson, type JsonText } from '../core/json.ts'
import { itemStamp, itemValue, operationsOfItem, type Item, type Register } from '../core/merge.ts'
import type { Operation } from '../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import type { StoreContext } from '../strategy/context.ts'
import { damaged } from '../strategy/read/check-answer.ts'
import { readMergedRegister } from '../strategy/read/merged-keys.ts'
import { readMergedById } from '../strategy/read/merged-page.ts'
import { Source } from '../strategy/read/source.ts'

const READ_TIMEOUT_MS = 2_000
const REPAIR_TIMEOUT_MS = 10_000

/**
 * Decodes visible items. One that cannot be is taken from the database that has it intact, and written
 * over where it is damaged; one that was cleared meanwhile is left out.
 *
 * @throws StorageError `CORRUPT` with the place, the key and the id, when no database has it intact.
 */
export async function decodeItems<T>(
  context: StoreContext,
  key: string,
  items: readonly Item[],
  decode: (item: Item) => T,
  isIntact: (value: JsonText) => boolean,
): Promise<T[]> {
  try {
    return items.map(decode)
  } catch (error) {
    if (!isStorageError(error, 'CORRUPT')) throw error
  }
  const broken = items.filter((item) => !isIntact(itemValue(item)!))
  const rescued = await rescueItems(context, key, broken, isIntact)
  const gone = new Set(broken.map(({ id }) => id).filter((id) => !rescued.has(id)))
  return items.filter(({ id }) => !gone.has(id)).map((item) => decode(rescued.get(item.id) ?? item))
}

/** The same for the value of a key; undefined when it was deleted meanwhile. */
export async function decodeRegister<T>(
  context: StoreContext,
  key: string,
  register: Register,
): Promise<T | undefined> {
  const whole = isJson(register.value) ? register : await rescueRegister(context, key, register)
  return whole === undefined ? undefined : decodeJson<T>(whole.value)
}

/** One place's answer; undefined when it gave none. */
type Answers<T> = Readonly<Record<DatabasePlace, T | undefined>>

/** The items as a database has them whose values are intact, by id. What was cleared is left out. */
async function rescueItems(
  context: StoreContext,
  key: string,
  found: readonly Item[],
  isIntact: (value: JsonText) => boolean,
): Promise<ReadonlyMap<string, Item>> {
  const ids = found.map(({ id }) => id)
  const answers = await askEach(context, async (source) => {
    const items = await readMergedById(context, [source], key, ids)
    return new Map(items.map((item) => [item.id, item]))
  })
  const rescued = new Map<string, Item>()
  for (const item of found) {
    const versions = DATABASE_PLACES.map((place) => answers[place]?.get(item.id))
    const isWhole = (version: Item | undefined): version is Item =>
      version !== undefined && isIntact(itemValue(version) ?? ('' as JsonText))
    const whole = versions.filter(isWhole).find((each) => itemStamp(each) >= itemStamp(item))
    if (whole === undefined && haveAllAnswered(context, answers) && versions.every(isAbsent))
      continue
    if (whole === undefined) {
      const place = placeWith(answers, (map) => map.get(item.id) !== undefined)
      throw damaged(`message ${JSON.stringify(item.id)}`, key, place)
    }
    rescued.set(item.id, whole)
    await mend(context, key, operationsOfItem(key, whole), (place) => {
      const version = answers[place]?.get(item.id)
      return version !== undefined && !isWhole(version) && itemStamp(version) === itemStamp(whole)
    })
  }
  return rescued
}

async function rescueRegister(
  context: StoreContext,
  key: string,
  found: Register,
): Promise<Register | undefined> {
  const answers = await askEach(context, async (source) => ({
    register: await readMergedRegister(context, [source], key),
  }))
  const versions = DATABASE_PLACES.map((place) => answers[place]?.register)
  const whole = versions.find(
    (each) => each !== undefined && each.stamp >= found.stamp && isJson(each.value),
  )
  if (whole === undefined) {
    if (haveAllAnswered(context, answers) && versions.every((each) => each === undefined))
      return undefined
    const place = placeWith(answers, ({ register }) => register?.stamp === found.stamp)
    throw damaged('the value', key, place)
  }
  await mend(context, key, [{ kind: 'set', key, ...whole }], (place) => {
    const version = answers[place]?.register
    return version?.stamp === whole.stamp && !isJson(version.value)
  })
  return whole
}

function isAbsent(version: Item | undefined): boolean {
  return version === undefined || itemValue(version) === undefined
}

async function askEach<T>(
  context: StoreContext,
  ask: (source: Source) => Promise<T>,
): Promise<Answers<T>> {
  const settled = await Promise.allSettled(
    DATABASE_PLACES.map((name) => ask(new Source(context, context.places[name], READ_TIMEOUT_MS))),
  )
  const [primary, backup] = settled.map((each) =>
    each.status === 'fulfilled' ? each.value : undefined,
  )
  return { primary, backup }
}

function haveAllAnswered<T>({ places }: StoreContext, answers: Answers<T>): boolean {
  return DATABASE_PLACES.every((place) => places[place].isAbsent || answers[place] !== undefined)
}

function placeWith<T>(answers: Answers<T>, has: (answer: T) => boolean): DatabasePlace | undefined {
  return DATABASE_PLACES.find((place) => {
    const answer = answers[place]
    return answer !== undefined && has(answer)
  })
}

/** Writes over what is damaged. The read goes on without it: `repair` tries again. */
async function mend(
  { env, places, cache, notify }: StoreContext,
  key: string,
  operations: readonly Operation[],
  isDamaged: (place: DatabasePlace) => boolean,
): Promise<void> {
  for (const place of DATABASE_PLACES.filter(isDamaged)) {
    let repaired = false
    try {
      const count = await places[place].longCall('repair', REPAIR_TIMEOUT_MS, (backend, options) =>
        Promise.resolve(backend.repair?.(operations, options)),
      )
      repaired = (count ?? 0) > 0
      if (repaired) await cache?.changed([key])
    } catch (error) {
      env.logger.warn({ place, error: messageOf(error) }, 'a damaged row could not be repaired')
    }
    notify({ kind: 'damaged', place, key, repaired })
  }
}

/* What a parameter of a query may be: it comes as text. */
import * as v from 'valibot'

/** An integer; both bounds are good. */
export function count(min: number, max: number): v.GenericSchema<string, number> {
  return v.pipe(
    v.string(),
    v.digits('must be a whole number'),
    v.transform(Number),
    v.minValue(min),
    v.maxValue(max),
  )
}

/** `true` or `false`. */
export function flag(): v.GenericSchema<string, boolean> {
  return v.pipe(
    v.picklist(['true', 'false']),
    v.transform((text) => text === 'true'),
  )
}

/** Text that is not empty. */
export function word(): v.GenericSchema<string> {
  return v.pipe(v.string(), v.nonEmpty('must not be empty'))
}

/** A JSON object of any fields. */
export function anyObject(): v.GenericSchema<Readonly<Record<string, unknown>>> {
  return v.custom<Readonly<Record<string, unknown>>>(
    (given) => typeof given === 'object' && given !== null && !Array.isArray(given),
    'must be an object',
  )
}

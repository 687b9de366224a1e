import { messageOf } from './errors.ts'

/** One line of a log for people: the message, and of the fields the place, the error and the reason. */
export function logLine(fields: object, message: string): string {
  const { place, error, reason } = fields as Readonly<Record<string, unknown>>
  const parts = [
    ...(typeof place === 'string' && !('event' in fields) && !message.includes(place)
      ? [place]
      : []),
    ...(error === undefined ? [] : [messageOf(error)]),
    ...(typeof reason === 'string' ? [reason] : []),
  ]
  return oneLine(parts.length === 0 ? message : `${message} (${parts.join(': ')})`)
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ')
}

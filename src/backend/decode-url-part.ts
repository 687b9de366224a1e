import { invalid } from '../core/errors.ts'

/** A part of a URL with its `%` escapes decoded. The message never quotes it: it may be a password. */
export function decodeUrlPart(text: string, part: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`the ${part} in url has a % that begins no escape: write %25 for it`)
  }
}

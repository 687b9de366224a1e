/*
 * Stored text may come from anybody: control characters would move the cursor, change colours or
 * reorder what is shown, so they are printed as escapes. Line feeds and tabs stay.
 */
// oxlint-disable-next-line no-control-regex -- control characters are what this is about
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/gu

/** The text as it may be shown on a terminal. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The same on one line. */
export function printableLine(text: string): string {
  // The whole run at once: a pattern that looks for the line feed in it tries each of a million spaces.
  return printable(text.replace(/\s+/g, (run) => (/[\n\t]/.test(run) ? ' ' : run)))
}

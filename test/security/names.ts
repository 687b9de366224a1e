/** Names as an attacker would choose who hopes that they become paths, patterns or statements. */
export const HOSTILE_NAMES: readonly string[] = [
  '../../escape',
  '/etc/passwd',
  '..',
  '.',
  'a/../../b',
  'C:\\temp\\x',
  'name\nwith\r\nlines',
  '%2e%2e%2f',
  '$(touch escaped)',
  "'; DROP TABLE everthread_items; --",
  '__proto__',
  'constructor',
  '{tag}',
  '*',
  '\u202eright to left',
]

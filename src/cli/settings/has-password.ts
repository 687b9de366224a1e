/** True for a connection string with a secret in it: other users of a machine see arguments. */
export function hasPassword(url: string): boolean {
  // Up to the last @: a password may contain one, and a slash, although neither should be raw.
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^?#]*)@/i.exec(url)?.[1]
  if (authority !== undefined && /^[^:/]*:./s.test(authority)) return true
  return /(?:^|[?&;\s])[^=&;\s]*(?:password|passwd|pwd|secret|token)[^=&;\s]*=[^&#]/i.test(url)
}

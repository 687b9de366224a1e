/*
 * Connection strings, one scheme an engine:
 *
 *   postgresql://user:password@host:port/database     also postgres://
 *   sqlite:PATH   sqlite::memory:   file:PATH         a path, relative or absolute; file:///… is a URL
 *   memory:                                           in this process, for tests and caches
 *   redis://…   rediss://…   memcached://…   s3://…
 *   file:DIRECTORY   memory:   redis-stream://…       for the write-ahead log
 *
 * Messages name the field and the scheme, never the text: it may hold a password.
 */
import { fileURLToPath } from 'node:url'
import { invalid } from '../core/errors.ts'
import { UNSET } from '../core/options.ts'

const DATABASE_FORMS = 'postgresql://…, sqlite:PATH, redis://…, s3://… or memory:'
const CACHE_FORMS = 'redis://…, memcached://… or memory:'
const WAL_FORMS = 'file:DIRECTORY, redis-stream://… or memory:'

interface InMemoryAddress {
  readonly type: 'in-memory'
}

/** What a connection string says of a database: a `DatabaseConfig` with nothing left open. */
export type DatabaseAddress =
  | { readonly type: 'postgresql'; readonly url: string }
  | { readonly type: 'sqlite'; readonly path: string }
  | { readonly type: 'redis'; readonly url: string }
  | { readonly type: 's3'; readonly url: string }
  | InMemoryAddress

/** The same of a cache: a `CacheConfig`. */
export type CacheAddress =
  | { readonly type: 'redis'; readonly url: string }
  | { readonly type: 'memcached'; readonly url: string }
  | InMemoryAddress

/** The same of a log: a `WalConfig`. */
export type WalAddress =
  | { readonly type: 'file'; readonly filePath: string }
  | { readonly type: 'redis-stream'; readonly url: string }
  | InMemoryAddress

/**
 * The database that a connection string names.
 *
 * @param field Named in errors: `primary`, `backup`, …
 * @throws StorageError `INVALID_ARGUMENT`.
 */
export function parseDatabaseString(text: string, field: string): DatabaseAddress {
  const { scheme, rest } = split(text, field, DATABASE_FORMS)
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      return { type: 'postgresql', url: checkUrl(text, scheme, field) }
    case 'sqlite':
    case 'file':
      return { type: 'sqlite', path: pathOf(rest, scheme, field) }
    case 'memory':
      return checkEmpty(rest, field)
    case 'redis':
    case 'rediss':
      return { type: 'redis', url: checkUrl(text, scheme, field) }
    case 's3':
      return { type: 's3', url: checkUrl(text, scheme, field) }
    default:
      throw unknownScheme(scheme, field, DATABASE_FORMS)
  }
}

/** The cache that a connection string names. Errors as `parseDatabaseString`. */
export function parseCacheString(text: string, field: string): CacheAddress {
  const { scheme, rest } = split(text, field, CACHE_FORMS)
  switch (scheme) {
    case 'memory':
      return checkEmpty(rest, field)
    case 'redis':
    case 'rediss':
      return { type: 'redis', url: checkUrl(text, scheme, field) }
    case 'memcached':
      return { type: 'memcached', url: checkUrl(text, scheme, field) }
    default:
      throw unknownScheme(scheme, field, CACHE_FORMS)
  }
}

/** The write-ahead log that a connection string names. Errors as `parseDatabaseString`. */
export function parseWalString(text: string, field: string): WalAddress {
  const { scheme, rest } = split(text, field, WAL_FORMS)
  switch (scheme) {
    case 'memory':
      return checkEmpty(rest, field)
    case 'file':
      return { type: 'file', filePath: pathOf(rest, scheme, field) }
    case 'redis-stream':
      return { type: 'redis-stream', url: `redis:${checkRest(text, scheme, field)}` }
    case 'rediss-stream':
      return { type: 'redis-stream', url: `rediss:${checkRest(text, scheme, field)}` }
    default:
      throw unknownScheme(scheme, field, WAL_FORMS)
  }
}

function split(text: unknown, field: string, forms: string): { scheme: string; rest: string } {
  if (typeof text !== 'string') {
    throw invalid(`${field} must be a connection string, got ${typeof text}`)
  }
  if (text.trim() === '') {
    throw invalid(`${field} is empty: ${UNSET}`)
  }
  const match = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(text)
  // A text without a scheme may be a key=value string with a password in it: it is not shown.
  if (match === null) throw invalid(`${field} must start with a scheme: ${forms}`)
  if (text.includes('\0')) throw invalid(`${field} must not contain NUL`)
  return { scheme: match[1]!.toLowerCase(), rest: match[2]! }
}

function unknownScheme(scheme: string, field: string, forms: string): Error {
  return invalid(`${field} must be ${forms}, got the scheme "${scheme}:"`)
}

function checkUrl(text: string, scheme: string, field: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^[^:]+:\/\//.test(text)) {
    const hint = 'characters such as @ / # ? in a password are written as %40 %2F %23 %3F'
    throw invalid(`${field} is not a valid ${scheme}:// URL; ${hint}`)
  }
  if (scheme === 's3' && url.host === '') throw invalid(`${field} names no bucket: s3://BUCKET`)
  return text
}

/** The part after the scheme, once the whole has been checked. */
function checkRest(text: string, scheme: string, field: string): string {
  return checkUrl(text, scheme, field).slice(scheme.length + 1)
}

function pathOf(rest: string, scheme: string, field: string): string {
  const path = filePathOf(rest, scheme, field)
  if (path === '') throw invalid(`${field} names no path: ${scheme}:PATH`)
  return path
}

function filePathOf(rest: string, scheme: string, field: string): string {
  if (scheme === 'file' && rest.startsWith('//')) {
    try {
      return fileURLToPath(`file:${rest}`)
    } catch {
      throw invalid(`${field} is not a valid file: URL; a relative path is written file:PATH`)
    }
  }
  // A query would become a part of the file's name, and its settings would be lost silently.
  if (rest.includes('?')) {
    throw invalid(`${field} takes no ?settings after the path; use the form with fields instead`)
  }
  return rest.startsWith('//') ? rest.slice(2) : rest
}

function checkEmpty(rest: string, field: string): InMemoryAddress {
  if (rest !== '' && rest !== '//') throw invalid(`${field} must be memory: and nothing after it`)
  return { type: 'in-memory' }
}

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

/** Files that container engines leave for those who want to know. */
const CONTAINER_FILES = ['/.dockerenv', '/run/.containerenv']
/** Variables of hosts whose disks last no longer than the process. */
const CONTAINER_VARIABLES = [
  'KUBERNETES_SERVICE_HOST',
  'ECS_CONTAINER_METADATA_URI_V4',
  'K_SERVICE',
]

/** What of a process tells where it runs. */
export interface Host {
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly exists: (path: string) => boolean
}

/**
 * What to say of files in this folder when nobody chose it, where that may be a mistake: in a container and
 * in production. Undefined elsewhere.
 */
export function dataWarning(
  folder: string,
  { variables, exists }: Host = { variables: process.env, exists: existsSync },
): string | undefined {
  const where = `messages are kept in files below ${resolve(folder)}, since no primary, backup or wal was given`
  const isContainer =
    CONTAINER_VARIABLES.some((name) => variables[name] !== undefined) ||
    CONTAINER_FILES.some(exists)
  if (isContainer) return `${where}: in a container they are gone with it, unless a volume is there`
  return variables['NODE_ENV'] === 'production' ? where : undefined
}

import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { S3Credentials } from './options.ts'

type Section = ReadonlyMap<string, string>

/**
 * The keys of a profile in the shared credentials file, else in the shared config file; undefined
 * when neither has any. Not understood: profiles that name a role, a process or a single sign-on.
 */
export async function sharedFileCredentials(
  profile: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<S3Credentials | undefined> {
  const name = profile ?? environment['AWS_PROFILE'] ?? 'default'
  const folder = join(environment['HOME'] ?? homedir(), '.aws')
  const files = [
    [environment['AWS_SHARED_CREDENTIALS_FILE'] ?? join(folder, 'credentials'), name],
    [
      environment['AWS_CONFIG_FILE'] ?? join(folder, 'config'),
      name === 'default' ? name : `profile ${name}`,
    ],
  ] as const
  for (const [path, section] of files) {
    const credentials = credentialsOf((await sectionsOf(path)).get(section))
    if (credentials !== undefined) return credentials
  }
  return undefined
}

function credentialsOf(section: Section | undefined): S3Credentials | undefined {
  const accessKeyId = section?.get('aws_access_key_id')
  const secretAccessKey = section?.get('aws_secret_access_key')
  const sessionToken = section?.get('aws_session_token')
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) }
}

async function sectionsOf(path: string): Promise<ReadonlyMap<string, Section>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw error
  }
  return parseSections(text)
}

/** `[section]` lines with `name = value` lines below them; `#` and `;` begin a comment line. */
function parseSections(text: string): ReadonlyMap<string, Section> {
  const sections = new Map<string, Map<string, string>>()
  let current: Map<string, string> | undefined
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[\s*(.*?)\s*\]/.exec(line)
    if (header !== null) {
      const name = header[1]!.replace(/\s+/g, ' ')
      current = sections.get(name) ?? new Map<string, string>()
      sections.set(name, current)
      continue
    }
    const pair = /^([^\s#;=][^=]*?)\s*=\s*(.*?)\s*$/.exec(line)
    if (pair !== null) current?.set(pair[1]!.toLowerCase(), pair[2]!)
  }
  return sections
}

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../../src/core/errors.ts'

/** One library for chat history, as `bench/peers/NAME.mjs` brings it to a common form. */
export interface Peer {
  readonly title: string
  /** Its packages, the one that is named with its version first. */
  readonly packages: readonly string[]
  /** What its acknowledgement promises. */
  readonly promise: string
  /** What reading the latest messages fetches. */
  readonly reading: string
  open(options: PeerOptions): Promise<PeerStore>
}

export interface PeerOptions {
  readonly url: string
  /** Connections of its pool. */
  readonly connections: number
  /** Most saves at a time. */
  readonly concurrencyMax: number
}

export interface PeerStore {
  /** `number` is new for each message of a conversation. */
  save(conversation: string, number: number, message: PeerMessage): Promise<unknown>
  /** Fills an empty conversation, where that is not the same as saving one after another. */
  fill?(conversation: string, count: number, message: PeerMessage): Promise<unknown>
  /** Reads the latest messages and says how many it got. */
  latest(conversation: string, limit: number): Promise<number>
  /** Waits for what goes on behind the saves. */
  settle?(): Promise<unknown>
  close(): Promise<unknown>
}

export interface PeerMessage {
  readonly role: string
  readonly content: string
}

export interface LoadedPeer extends Peer {
  /** In bench/peers. */
  readonly file: string
  readonly version: string
}

/** The peers that run here; why the others do not. */
export interface LoadedPeers {
  readonly peers: readonly LoadedPeer[]
  readonly leftOut: Readonly<Record<string, string>>
}

const BENCH = join(process.cwd(), 'bench')
const PEERS = join(BENCH, 'peers')

/** Installs the peers into bench/node_modules when they are missing, and loads them. */
export async function loadPeers(): Promise<LoadedPeers> {
  const peers: LoadedPeer[] = []
  const leftOut: Record<string, string> = {}
  const installFailure = install()
  for (const file of readdirSync(PEERS).filter((name) => name.endsWith('.mjs'))) {
    try {
      if (installFailure !== undefined) throw new Error(installFailure)
      const peer = await importPeer(file)
      const versions = await Promise.all(peer.packages.map(installedVersion))
      peers.push({ ...peer, file, version: versions[0]! })
    } catch (error) {
      leftOut[file.replace('.mjs', '')] = messageOf(error).split('\n', 1)[0]!
    }
  }
  return { peers, leftOut }
}

/** Its own packages are found beside it only from its own place. */
export async function importPeer(file: string): Promise<Peer> {
  return (await import(pathToFileURL(join(PEERS, file)).href)) as Peer
}

/** What went wrong; nothing if they are there. */
function install(): string | undefined {
  // Written by npm when it has finished.
  if (existsSync(join(BENCH, 'node_modules', '.package-lock.json'))) return undefined
  console.log(
    'the peers are missing, installing them: npm ci --prefix bench (700 MB, some minutes)',
  )
  const { status } = spawnSync('npm', ['ci', '--prefix', 'bench', '--no-audit', '--no-fund'], {
    stdio: ['ignore', 'inherit', 'ignore'],
  })
  return status === 0 ? undefined : `npm ci --prefix bench ended with ${status}`
}

/** @throws Error when the package does not run on this version of Node. */
async function installedVersion(name: string): Promise<string> {
  const text = await readFile(join(BENCH, 'node_modules', name, 'package.json'), 'utf8')
  const { version, engines } = JSON.parse(text) as {
    version: string
    engines?: { node?: string }
  }
  const wanted = engines?.node
  if (wanted !== undefined && !allowsNode(wanted)) {
    throw new Error(`${name} ${version} wants Node ${wanted}, this is ${process.versions.node}`)
  }
  return version
}

/** Understands `>=`, `^` and `||`, which is what the packages use; what else is there is let pass. */
function allowsNode(range: string): boolean {
  const [major = 0, minor = 0, patch = 0] = process.versions.node.split('.').map(Number)
  return range.split('||').some((part) => {
    const match = /^\s*(>=|\^)\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?\s*$/.exec(part)
    if (match === null) return true
    const [a, b, c] = [match[2], match[3], match[4]].map((digits) => Number(digits ?? 0))
    const reaches = major !== a ? major > a! : minor !== b ? minor > b! : patch >= c!
    return reaches && (match[1] !== '^' || major === a)
  })
}

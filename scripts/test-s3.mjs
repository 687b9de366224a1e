// Runs the suites of the S3 engine on a server that others wrote: Ceph's RADOS gateway, of Debian's
// packages, with everything in memory. As root, on the loopback interface only; it takes four minutes.
//
//   apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd
//   node scripts/test-s3.mjs                 or with the command to run on it: node scripts/test-s3.mjs npm run …
import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const COMMAND = ['npx', 'vitest', 'run', 'test/integration/s3-server-conformance.test.ts']
const START_MS_MAX = 60_000

const folder = mkdtempSync(join(tmpdir(), 'everthread-ceph-'))
const config = join(folder, 'ceph.conf')
const children = []

try {
  const port = await start()
  const chosen = process.argv.slice(2)
  const [program, ...args] = chosen.length > 0 ? chosen : COMMAND
  const env = {
    ...process.env,
    S3_TEST_URL: `s3://everthread-test?endpoint=http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'AK',
    AWS_SECRET_ACCESS_KEY: 'SK',
  }
  const child = spawn(program, args, { stdio: 'inherit', env })
  process.exitCode = await new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)))
} finally {
  for (const child of children.toReversed()) child.kill('SIGKILL')
  await delay(200)
  rmSync(folder, { recursive: true, force: true })
}

/** The port of the gateway once it answers. */
async function start() {
  const [v2, v1, port] = await Promise.all([freePort(), freePort(), freePort()])
  const id = randomUUID()
  const keyring = join(folder, 'keyring')
  for (const name of ['mon', 'osd', 'rgw', 'run']) mkdirSync(join(folder, name))
  writeFileSync(config, settings(id, keyring, v2, v1, port))
  const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *']
  run(
    'ceph-authtool',
    '--create-keyring',
    keyring,
    '--gen-key',
    '-n',
    'mon.',
    '--cap',
    'mon',
    'allow *',
  )
  for (const name of ['client.admin', 'osd.0', 'client.rgw']) {
    run('ceph-authtool', keyring, '--gen-key', '-n', name, ...all)
  }
  const map = join(folder, 'monmap')
  const addresses = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`
  run('monmaptool', '--create', '--clobber', '--addv', 'a', addresses, '--fsid', id, map)
  run('ceph-mon', '-c', config, '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring)
  serve('ceph-mon', '-c', config, '-i', 'a', '-f')
  run('ceph', '-c', config, 'osd', 'create')
  run('ceph', '-c', config, 'auth', 'import', '-i', keyring)
  run('ceph-osd', '-c', config, '-i', '0', '--mkfs')
  run('ceph', '-c', config, 'osd', 'crush', 'add', 'osd.0', '1', 'root=default')
  serve('ceph-osd', '-c', config, '-i', '0', '-f')
  const user = ['--uid=t', '--display-name=t', '--access-key=AK', '--secret-key=SK']
  run('radosgw-admin', '-c', config, 'user', 'create', ...user)
  serve('radosgw', '-c', config, '-n', 'client.rgw', '-f')
  const deadline = Date.now() + START_MS_MAX
  while (!(await answers(port))) {
    if (Date.now() > deadline) throw new Error('the gateway did not start in time')
    await delay(100)
  }
  return port
}

function settings(id, keyring, v2, v1, port) {
  const lines = {
    fsid: id,
    mon_host: `v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}`,
    keyring,
    mon_data: join(folder, 'mon'),
    osd_data: join(folder, 'osd'),
    osd_objectstore: 'memstore',
    memstore_device_bytes: 2 ** 31,
    osd_pool_default_size: 1,
    osd_pool_default_min_size: 1,
    osd_pool_default_pg_num: 1,
    mon_allow_pool_size_one: true,
    osd_crush_chooseleaf_type: 0,
    mon_max_pg_per_osd: 2000,
    mon_data_avail_warn: 1,
    mon_data_avail_crit: 1,
    public_addr: '127.0.0.1',
    cluster_addr: '127.0.0.1',
    admin_socket: join(folder, 'run', '$name.asok'),
    log_file: join(folder, 'run', '$name.log'),
    pid_file: join(folder, 'run', '$name.pid'),
    rgw_data: join(folder, 'rgw'),
    rgw_frontends: `beast endpoint=127.0.0.1:${port}`,
  }
  const text = Object.entries(lines).map(([name, value]) => `${name} = ${value}\n`)
  return `[global]\n${text.join('')}`
}

function run(program, ...args) {
  try {
    execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: START_MS_MAX })
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    const packages = 'radosgw ceph-mon ceph-osd'
    throw new Error(
      `${program} is not installed: apt-get install -y --no-install-recommends ${packages}`,
      { cause: error },
    )
  }
}

function serve(program, ...args) {
  const child = spawn(program, args, { stdio: 'ignore' })
  children.push(child)
  process.on('exit', () => child.kill('SIGKILL'))
}

async function answers(port) {
  try {
    await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer()
    return true
  } catch {
    return false
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

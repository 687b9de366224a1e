/** What helps, by what the server, the driver or the system said. The first one that fits. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /password authentication failed|no password|WRONGPASS|NOAUTH|invalid username-password/i,
    'check user and password; characters such as @ / # ? in a password are written as %40 %2F %23 %3F',
  ],
  [/role ".*" does not exist/i, 'make the role, or give another user in the URL'],
  [/database ".*" does not exist/i, 'make it with createdb, or give another one in the URL'],
  [/no pg_hba\.conf entry/i, 'let this machine in: pg_hba.conf of the server'],
  [
    /does not support SSL/i,
    'turn TLS on at the server (ssl = on); in a network that you trust, add ?sslmode=disable',
  ],
  [
    /certificate|self.signed|altname/i,
    'give the CA of the certificate (ssl: { ca } in a configuration file), or a name that is in it',
  ],
  [/ECONNREFUSED/, 'start the server, or check host and port'],
  [/ENOTFOUND|EAI_AGAIN/, 'check the name of the host'],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|timed? ?out|no answer|within/i,
    'check host, port and firewall',
  ],
  [
    /Socket closed|ECONNRESET|socket hang up/i,
    'check host and port, and whether one side wants TLS',
  ],
  [/npm install/, 'install it, then run this again'],
  [/EACCES|EPERM|permission denied/i, 'give the user of this process the right to write there'],
  [/EROFS/, 'the file system is read-only: choose another path'],
  [/ENOTDIR/, 'a part of the path is a file: choose another path'],
  [/not a database/i, 'the file belongs to something else: choose another path'],
  [/credentials/i, 'give credentials by the standard chain, such as AWS_ACCESS_KEY_ID'],
  [/AccessDenied|\b403\b/, 'give the credentials the right to read and write this bucket'],
  [/NoSuchBucket/, 'make the bucket, or give another one'],
  [/version .* or newer is needed/i, 'upgrade the server'],
  [/encoding UTF8/i, 'make another database: createdb --encoding UTF8 --template template0'],
  [/lacks rights|lacks a right/i, 'grant them to the role, or make it the owner of the tables'],
  [/row security/i, 'ALTER TABLE … DISABLE ROW LEVEL SECURITY, or use a role with BYPASSRLS'],
  [/UNLOGGED/, 'ALTER TABLE … SET LOGGED'],
  [/standby/i, 'connect to the primary server of the cluster'],
]

/** What to do about a failure; undefined where only its own words can tell. */
export function adviceFor(message: string): string | undefined {
  return ADVICE.find(([pattern]) => pattern.test(message))?.[1]
}

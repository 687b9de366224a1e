import type { ConnectionOptions } from 'node:tls'
import { value } from '../core/option-kinds.ts'
import type { Option } from '../core/options.ts'

/** TLS to a server; what stands in an object is node:tls's. */
export const TLS_OPTION: Option<boolean | 'no-verify' | ConnectionOptions> = value(
  "boolean, 'no-verify' or an object for node:tls",
  (given) =>
    typeof given === 'boolean' ||
    given === 'no-verify' ||
    (typeof given === 'object' && given !== null && !Array.isArray(given)),
)

import { ValueCipher } from '../../core/encryption/value-cipher.ts'
import type { Settings } from './settings.ts'

/** For what a command encrypts or decrypts itself; undefined without keys. */
export async function cipherOf({ encryption }: Settings): Promise<ValueCipher | undefined> {
  if (encryption === undefined) return undefined
  const cipher = new ValueCipher(encryption)
  await cipher.ready()
  return cipher
}

import type { Secret } from './ingress.ts'
import type { UserList } from './model.ts'

const mostUsers = 10_000
/** htpasswd's kinds that the router knows, and those of crypt(3), which HAProxy checks. */
const known =
  /^(\$apr1\$[./\w]{1,8}\$[./\w]{22}|\{(SHA|SSHA)\}[\w+/=]+|\{PLAIN\}[\x21-\x7e]+|\$(1|2[aby]|5|6)\$[./\w$=]+)$/

/** Whether a hash is one of crypt(3). */
export function isCrypt(hash: string): boolean {
  return /^\$[1256]/.test(hash)
}

/**
 * Who may pass by a Secret: as lines of htpasswd under the key `auth` (`auth-file`), or each user under a key of its own (`auth-map`).
 * `faults` name users whose hash is of an unknown kind, who cannot pass.
 */
export function readUsers(
  { data = {} }: Secret,
  kind: 'auth-file' | 'auth-map',
): { readonly users: UserList['users']; readonly faults: readonly string[] } | { readonly says: string } {
  const text = (value: string | undefined): string => Buffer.from(value ?? '', 'base64').toString()
  if (kind === 'auth-file' && data.auth === undefined) return { says: 'has no key "auth"' }
  const lines =
    kind === 'auth-file'
      ? text(data.auth).split(/\r?\n/)
      : Object.entries(data).map(([name, value]) => `${name}:${text(value).trim()}`)
  const users = new Map<string, string>()
  const faults: string[] = []
  for (const line of lines.slice(0, mostUsers)) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [name = '', hash = ''] = line.split(':')
    if (/^[\x21-\x7e]{1,128}$/.test(name) && known.test(hash)) users.set(name, hash)
    else faults.push(name.replace(/[^\x21-\x7e]/g, '?').slice(0, 40))
  }
  if (lines.length > mostUsers) return { says: `has more than ${mostUsers} users` }
  return users.size === 0 && faults.length === 0 ? { says: 'has no user' } : { users: [...users], faults }
}

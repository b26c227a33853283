import { execFileSync } from 'node:child_process'

/** A leaf for a name and its key in PEM, as Secrets have them; each one is new. */
export function certificateOf(name: string): { readonly crt: string; readonly key: string } {
  const text = execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
    ].concat(['-addext', `subjectAltName=DNS:${name}`, '-keyout', '-', '-out', '-']),
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const part = (end: string): string => {
    const found = new RegExp(`-----BEGIN ${end}-----[\\s\\S]*?-----END ${end}-----\\n`).exec(text)
    return Buffer.from(found?.[0] ?? '').toString('base64')
  }
  return { crt: part('CERTIFICATE'), key: part('PRIVATE KEY') }
}

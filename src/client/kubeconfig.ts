import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Credentials } from './connection.ts'
import { yaml } from './yaml.ts'

interface ClusterEntry {
  server?: string
  'certificate-authority'?: string
  'certificate-authority-data'?: string
  'insecure-skip-tls-verify'?: boolean
  'tls-server-name'?: string
}

interface UserEntry {
  'client-certificate'?: string
  'client-certificate-data'?: string
  'client-key'?: string
  'client-key-data'?: string
  token?: string
  tokenFile?: string
  username?: string
  password?: string
  exec?: { command?: string }
  'auth-provider'?: { name?: string }
}

interface ContextEntry {
  cluster?: string
  user?: string
  namespace?: string
}

interface Kubeconfig {
  'current-context'?: string
  clusters?: { name: string; cluster?: ClusterEntry }[]
  users?: { name: string; user?: UserEntry }[]
  contexts?: { name: string; context?: ContextEntry }[]
}

/**
 * Reads a kubeconfig, given as a path or as its text. Relative file names count from the kubeconfig's own directory.
 * Throws when the context, cluster or user is missing, and for exec and auth-provider plugins, which are not run.
 */
export function readKubeconfig(pathOrText: string, context?: string): Credentials {
  const isText = /[\n{]/.test(pathOrText)
  const text = isText ? pathOrText : readFileSync(pathOrText, 'utf8')
  const origin = isText ? 'kubeconfig' : `kubeconfig ${pathOrText}`
  const base = isText ? process.cwd() : dirname(resolve(pathOrText))
  return parseKubeconfig(text, origin, base, context)
}

function parseKubeconfig(text: string, origin: string, base: string, wanted: string | undefined): Credentials {
  const config = parseText(text, origin)
  const contextName = wanted ?? config['current-context']
  if (!contextName) throw new Error(`${origin}: current-context is empty; set it or name a context`)
  const context = pick(config.contexts, contextName, 'context', origin).context ?? {}
  const cluster = pick(config.clusters, context.cluster ?? '', 'cluster', origin).cluster ?? {}
  const user = context.user ? (pick(config.users, context.user, 'user', origin).user ?? {}) : {}
  if (!cluster.server) throw new Error(`${origin}: clusters[${context.cluster}].cluster.server is empty`)
  refusePlugins(user, context.user ?? '', origin)
  const file = (data: string | undefined, path: string | undefined) =>
    data !== undefined && data !== ''
      ? Buffer.from(data, 'base64').toString()
      : path && readFileSync(resolve(base, path), 'utf8')
  const ca = file(cluster['certificate-authority-data'], cluster['certificate-authority'])
  const cert = file(user['client-certificate-data'], user['client-certificate'])
  const key = file(user['client-key-data'], user['client-key'])
  const token = user.tokenFile ? tokenFromFile(resolve(base, user.tokenFile)) : constant(user.token)
  return {
    server: cluster.server,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(token && { token }),
    ...(user.username && { basic: { username: user.username, password: user.password ?? '' } }),
    ...(cluster['tls-server-name'] && { serverName: cluster['tls-server-name'] }),
    ...(cluster['insecure-skip-tls-verify'] && { insecureSkipTlsVerify: true }),
    ...(context.namespace && { namespace: context.namespace }),
  }
}

function parseText(text: string, origin: string): Kubeconfig {
  const value: unknown = text.trimStart().startsWith('{') ? JSON.parse(text) : yaml().parse(text)
  if (typeof value !== 'object' || value === null) throw new Error(`${origin}: is not a kubeconfig (no mapping at top)`)
  return value as Kubeconfig
}

function pick<T extends { name: string }>(list: T[] | undefined, name: string, what: string, origin: string): T {
  const found = list?.find((entry) => entry.name === name)
  if (found !== undefined) return found
  const known = (list ?? []).map((entry) => entry.name).join(', ') || 'none'
  throw new Error(`${origin}: there is no ${what} "${name}" (known: ${known})`)
}

function refusePlugins(user: UserEntry, name: string, origin: string): void {
  const plugin = user.exec ? `exec plugin "${user.exec.command}"` : user['auth-provider'] && 'auth-provider plugin'
  if (!plugin) return
  throw new Error(
    `${origin}: user "${name}" needs the ${plugin}, which is not run; use a client certificate or a token (kubectl create token)`,
  )
}

function constant(token: string | undefined): (() => string) | undefined {
  return token === undefined || token === '' ? undefined : () => token
}

/** Bound tokens are rotated on disk by the kubelet, so the file is read again after a minute (KEP-1205). */
export function tokenFromFile(path: string): () => string {
  let token = readFileSync(path, 'utf8').trim()
  let readAt = Date.now()
  return () => {
    if (Date.now() - readAt < 60_000) return token
    token = readFileSync(path, 'utf8').trim()
    readAt = Date.now()
    return token
  }
}
